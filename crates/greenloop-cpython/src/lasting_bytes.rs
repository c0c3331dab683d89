//! Bytes that stay where they are: those of `bytes` objects, and of memoryviews of our own.

use std::ops::Range;

use super::buffer::Bytes;
use super::error::Result;
use super::memory::Memory;
use super::object::Object;

/// Bytes, and the object that owns them: a `bytes`, or a memoryview that is held nowhere else.
pub struct LastingBytes {
    /// Held for the memory, and never looked at.
    _owner: Object,
    start: *const u8,
    length: usize,
}

impl LastingBytes {
    /// The bytes of anything that has some. Nothing is copied.
    pub fn shown(data: &Object) -> Result<Self> {
        if data.is_bytes() {
            return Self::owned_by(data.clone(), 0);
        }
        Self::owned_by(data.memory_view()?, 0)
    }

    /// The bytes of `data` after the first `sent`. A `bytearray` is copied, since its owner may
    /// change its size; where `copies` says so, everything is.
    pub fn rest(data: &Object, sent: usize, copies: bool) -> Result<Self> {
        if data.is_bytes() && !copies {
            return Self::owned_by(data.clone(), sent);
        }
        if data.is_memory_view() && !copies {
            return Self::owned_by(data.memory_view()?, sent);
        }
        // SAFETY: to make a `bytes` of them runs no Python code.
        let copy = unsafe {
            let bytes = Bytes::of_unchanging(data)?;
            let all = bytes.memory();
            all.part(sent..all.len()).copied()?
        };
        Self::owned_by(copy.into_object(), 0)
    }

    /// The bytes of `owner` after the first `start`. It is a `bytes`, which never changes, or a
    /// memoryview of our own, which keeps what it shows from being freed or moved.
    fn owned_by(owner: Object, start: usize) -> Result<Self> {
        let bytes = Bytes::of(&owner)?;
        let all = bytes.memory();
        let rest = all.part(start..all.len());
        let (start, length) = (rest.as_ptr(), rest.len());
        drop(bytes);
        Ok(Self {
            _owner: owner,
            start,
            length,
        })
    }

    /// How many bytes there are.
    #[expect(
        clippy::len_without_is_empty,
        reason = "nobody asks whether there are none"
    )]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Some of the bytes.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn part(&self, range: Range<usize>) -> Memory<'_> {
        assert!(range.end <= self.length, "not that many bytes are kept");
        // SAFETY: the owner is held, and keeps that much memory in place.
        unsafe { Memory::new(self.start, self.length) }.part(range)
    }
}
