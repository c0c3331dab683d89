//! Data that the application has written and the ssl object has not taken yet: before the handshake
//! is done, and while a renegotiation waits for the peer.

use std::cell::Cell;
use std::collections::VecDeque;

use greenloop_cpython::{GilCell, Object, Visited, Visitor};

/// Something written, the object itself, as asyncio keeps it.
#[derive(Clone)]
pub struct Chunk {
    pub data: Object,
    /// How many of its bytes were encrypted already.
    pub done: usize,
    pub length: usize,
}

/// The chunks in their order.
pub struct Backlog {
    chunks: GilCell<VecDeque<Chunk>>,
    /// How many bytes wait. It stays as it is when the connection is lost, as asyncio's does.
    size: Cell<usize>,
}

impl Backlog {
    pub const fn new() -> Self {
        Self {
            chunks: GilCell::new(VecDeque::new()),
            size: Cell::new(0),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.chunks.with(|chunks| chunks.is_empty())
    }

    /// How many bytes wait.
    #[inline]
    pub fn size(&self) -> usize {
        self.size.get()
    }

    pub fn push(&self, chunk: Chunk) {
        let waiting = chunk.length.saturating_sub(chunk.done);
        self.size.set(self.size.get() + waiting);
        self.chunks.with(|chunks| chunks.push_back(chunk));
    }

    /// The first chunk.
    pub fn first(&self) -> Option<Chunk> {
        self.chunks.with(|chunks| chunks.front().cloned())
    }

    /// Of the first chunk, `done` bytes were encrypted in all. It leaves if that is all of it.
    pub fn advance(&self, done: usize) {
        let finished = self.chunks.with(|chunks| {
            let first = chunks.front_mut()?;
            let more = done.min(first.length).saturating_sub(first.done);
            self.size.set(self.size.get().saturating_sub(more));
            first.done += more;
            (first.done >= first.length)
                .then(|| chunks.pop_front())
                .flatten()
        });
        drop(finished);
    }

    /// Drops all of it.
    pub fn clear(&self) {
        drop(self.chunks.with(std::mem::take));
    }

    /// The objects, for code that looks.
    pub fn objects(&self) -> Vec<Object> {
        self.chunks
            .with(|chunks| chunks.iter().map(|chunk| chunk.data.clone()).collect())
    }

    /// Shows the objects to the garbage collector.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        // A visitor runs no Python code, so nothing uses the chunks meanwhile.
        self.chunks.with(|chunks| {
            chunks
                .iter()
                .try_for_each(|chunk| visitor.show(&chunk.data))
        })
    }
}
