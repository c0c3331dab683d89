//! Data that the application has written and the ssl object has not taken yet: before the handshake
//! is done, and while a renegotiation waits for the peer.
//!
//! asyncio puts every write into such a list and empties it at once. Here a write that finds it
//! empty passes it by, so a connection whose handshake is done usually never fills it.

use std::cell::Cell;
use std::collections::VecDeque;

use greenloop_cpython::{GilCell, Object, Visited, Visitor};

/// Something written, the object itself, as asyncio keeps it.
#[derive(Clone)]
pub struct Chunk {
    /// The caller's own object, of which nothing is copied: a `bytearray` that changes before it is
    /// encrypted is sent as it is then.
    pub data: Object,
    /// How many of its bytes were encrypted already.
    pub done: usize,
    /// How many bytes it had when it was written.
    pub length: usize,
}

/// The chunks in their order.
pub struct Backlog {
    /// Borrowed for a moment only, in which no Python code runs.
    chunks: GilCell<VecDeque<Chunk>>,
    /// How many bytes wait. It stays as it is when the connection is lost, as asyncio's does.
    size: Cell<usize>,
}

impl Backlog {
    /// One with nothing in it, which allocates nothing.
    pub const fn new() -> Self {
        Self {
            chunks: GilCell::new(VecDeque::new()),
            size: Cell::new(0),
        }
    }

    /// The condition for a write to be encrypted in place.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.chunks.with(|chunks| chunks.is_empty())
    }

    /// How many bytes wait. Constant time: it is asked after each write, for flow control.
    #[inline]
    pub fn size(&self) -> usize {
        self.size.get()
    }

    /// A chunk that was begun counts with its rest only.
    pub fn push(&self, chunk: Chunk) {
        let waiting = chunk.length.saturating_sub(chunk.done);
        self.size.set(self.size.get() + waiting);
        self.chunks.with(|chunks| chunks.push_back(chunk));
    }

    /// The first chunk. It is cloned, a reference, because encrypting it may run code that changes
    /// the list.
    pub fn first(&self) -> Option<Chunk> {
        self.chunks.with(|chunks| chunks.front().cloned())
    }

    /// Of the first chunk, `done` bytes were encrypted in all. It leaves if that is all of it. It
    /// has no effect if the chunks were dropped meanwhile, as `connection_lost` does. The finished
    /// object is dropped outside of the borrow, since its finaliser may run code.
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

    /// Drops all of it. Its size stays, as that of asyncio's list does.
    pub fn clear(&self) {
        drop(self.chunks.with(std::mem::take));
    }

    /// The objects, for code that looks.
    pub fn objects(&self) -> Vec<Object> {
        self.chunks
            .with(|chunks| chunks.iter().map(|chunk| chunk.data.clone()).collect())
    }

    /// Shows the objects to the garbage collector. A collector that finds a cycle through a chunk
    /// then clears the protocol.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        // A visitor runs no Python code, so nothing uses the chunks meanwhile.
        self.chunks.with(|chunks| {
            chunks
                .iter()
                .try_for_each(|chunk| visitor.show(&chunk.data))
        })
    }
}
