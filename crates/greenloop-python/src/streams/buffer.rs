//! A reader's buffer, which holds its bytes until they are read.
//!
//! Most messages arrive whole and are read whole, so a chunk that arrives at an empty buffer is
//! kept as the `bytes` object it is, and returned without a copy if all of it is read. Only chunks
//! that must be joined are gathered in our own memory.
//!
//! asyncio's buffer is a bytearray, and some programs change it. Reading `_buffer` returns a real
//! one, which holds the bytes from then on.
//!
//! ```text
//!             1 extend              2 extend                 4 expose
//!   empty ────────────► whole ────────────► gathered ────────────────► exposed
//!     ▲                   │  3 all is taken    │                         for ever
//!     └───────────────────┴────────────────────┘
//! ```

use std::cell::Cell;

use greenloop_core::{Limit, Message, ReadBuffer, find_message};
use greenloop_cpython::{
    ByteArrayContent, ByteString, ByteStringSlot, GilCell, Memory, Object, Result, Slot, Visited,
    Visitor, making,
};

use crate::asyncio::globals;

/// The bytes.
///
/// At most one of `whole`, `gathered` and `exposed` holds bytes.
pub struct Buffer {
    /// A chunk as it came.
    ///
    /// Exactly a `bytes` object; it may be shared with the program.
    whole: ByteStringSlot,
    /// How much of it has been read.
    ///
    /// 0 unless `whole` is set.
    consumed: Cell<usize>,
    /// Our own memory. Borrowed only while no Python code runs.
    gathered: GilCell<ReadBuffer>,
    /// The bytearray that Python code has asked for.
    ///
    /// It stays for good, as the program may have kept it.
    exposed: Slot,
}

impl Buffer {
    /// Nothing is allocated.
    pub const fn new() -> Self {
        Self {
            whole: ByteStringSlot::empty(),
            consumed: Cell::new(0),
            gathered: GilCell::new(ReadBuffer::new()),
            exposed: Slot::empty(),
        }
    }

    /// How many bytes there are.
    ///
    /// Constant time, without a call of Python's.
    #[inline]
    pub fn len(&self) -> usize {
        if self.is_exposed() {
            return self.len_exposed();
        }
        match self.whole.len() {
            Some(length) => length - self.consumed.get(),
            None => self.gathered.with(|gathered| gathered.len()),
        }
    }

    #[cold]
    fn len_exposed(&self) -> usize {
        self.with(|memory| memory.len())
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether Python code has asked for the bytearray, which may be of any class.
    #[inline]
    pub fn is_exposed(&self) -> bool {
        !self.exposed.is_empty()
    }

    /// Looks at the bytes.
    #[inline]
    fn with<R>(&self, body: impl FnOnce(Memory<'_>) -> R) -> R {
        if let Some(exposed) = self.exposed.get() {
            let content = ByteArrayContent::of(&exposed);
            let memory = content.as_ref().map(ByteArrayContent::memory);
            return body(memory.unwrap_or(Memory::from(&[][..])));
        }
        match self.whole.get() {
            Some(whole) => body(whole.content()[self.consumed.get()..].into()),
            None => self
                .gathered
                .with(|gathered| body(gathered.as_slice().into())),
        }
    }

    /// The end of the first message, as [`find_message`] finds it, without a copy.
    ///
    /// A chunk as it came is searched where the separators are known to the compiler.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the search for one separator of one byte is a few instructions"
    )]
    pub fn find(&self, separators: &[&[u8]], searched: usize, limit: Limit) -> Message {
        match self.whole.get() {
            Some(whole) if !self.is_exposed() => {
                let content = &whole.content()[self.consumed.get()..];
                find_message(content, separators, searched, limit)
            }
            _ => self.find_elsewhere(separators, searched, limit),
        }
    }

    /// As [`find`](Self::find), in bytes that were gathered or exposed.
    #[inline(never)]
    fn find_elsewhere(&self, separators: &[&[u8]], searched: usize, limit: Limit) -> Message {
        self.with(|memory| {
            // SAFETY: the search compares bytes and runs no Python code.
            let content = unsafe { memory.as_slice() };
            find_message(content, separators, searched, limit)
        })
    }

    /// Puts `data` at the end: bytes, an object with a buffer, or numbers, as `bytearray.extend`
    /// takes them.
    ///
    /// # Errors
    /// `TypeError` for what has neither a buffer nor numbers, `ValueError` for a number that is no
    /// byte, and `MemoryError`; the buffer is unchanged then.
    #[inline]
    pub fn extend(&self, data: &Object) -> Result<()> {
        if let Some(exposed) = self.exposed.get() {
            return exposed.invoke(&globals().names.extend, [data]).map(drop);
        }
        let Some(bytes) = ByteString::exactly(data) else {
            return self.extend_by_buffer(data);
        };
        if self.is_empty() {
            self.consumed.set(0);
            self.whole.set(bytes.clone());
        } else {
            self.gather();
            self.gathered
                .with(|gathered| gathered.extend(bytes.content()));
        }
        Ok(())
    }

    /// Appends data of any other class: the memory it exposes, or the numbers that it iterates
    /// over.
    #[cold]
    fn extend_by_buffer(&self, data: &Object) -> Result<()> {
        if !data.has_buffer() {
            let numbers = making::bytearray(&[])?;
            numbers.invoke(&globals().names.extend, [data])?;
            return self.extend_by_buffer(&numbers);
        }
        let copy = greenloop_cpython::Buffer::of(data)?.memory().copied()?;
        self.extend(&copy)
    }

    /// Moves a chunk to the memory of our own.
    ///
    /// Its first part, which has been read, is left out.
    fn gather(&self) {
        if let Some(whole) = self.whole.take() {
            let rest = &whole.content()[self.consumed.replace(0)..];
            self.gathered.with(|gathered| gathered.extend(rest));
        }
    }

    /// Takes the first `count` bytes out, or all if there are fewer, as a `bytes` object.
    ///
    /// No byte is copied if a whole chunk is taken.
    ///
    /// # Errors
    /// `MemoryError`; nothing is taken then.
    #[inline]
    pub fn take(&self, count: usize) -> Result<Object> {
        if self.consumed.get() == 0 && self.whole.len().is_some_and(|length| length <= count) {
            if let Some(whole) = self.whole.take() {
                return Ok(whole.into_object());
            }
        }
        let taken = self.with(|memory| memory.part(0..count.min(memory.len())).copied())?;
        self.discard(count)?;
        Ok(taken.into_object())
    }

    /// Removes the first `count` bytes, or all if there are fewer.
    ///
    /// # Errors
    /// Those of deleting from an exposed bytearray, such as `BufferError` while a memoryview of it
    /// exists.
    pub fn discard(&self, count: usize) -> Result<()> {
        if let Some(exposed) = self.exposed.get() {
            return exposed.delete_slice(0, count);
        }
        if self.whole.is_empty() {
            self.gathered.with(|gathered| gathered.consume(count));
        } else if count < self.len() {
            self.consumed.set(self.consumed.get() + count);
        } else {
            self.consumed.set(0);
            self.whole.clear();
        }
        Ok(())
    }

    /// The bytes as a bytearray, which holds them from now on.
    ///
    /// Every later operation works on that object, by calls of Python's.
    pub fn expose(&self) -> Result<Object> {
        if let Some(exposed) = self.exposed.get() {
            return Ok(exposed);
        }
        let exposed = self.with(|memory| memory.copied_to_bytearray())?;
        self.replace(exposed.clone());
        Ok(exposed)
    }

    /// Holds the bytes in this bytearray from now on, in place of any earlier ones.
    ///
    /// It must be a bytearray or of a subclass of it.
    pub fn replace(&self, bytearray: Object) {
        self.exposed.set(bytearray);
        self.gathered.with(ReadBuffer::clear);
        self.consumed.set(0);
        self.whole.clear();
    }

    /// Shows the held object to the garbage collector: a bytearray may be of a subclass.
    ///
    /// Bytes refer to nothing.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        self.exposed.visit(visitor)
    }

    /// Drops all bytes.
    pub fn clear(&self) {
        self.gathered.with(ReadBuffer::clear);
        self.consumed.set(0);
        self.whole.clear();
        self.exposed.clear();
    }
}
