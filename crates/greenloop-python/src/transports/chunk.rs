//! Written data as bytes: borrowed for the length of a call, or kept with the object that owns
//! them.
//!
//! Data is kept as the running version of asyncio keeps it, as far as that is observable: `bytes`
//! themselves, and from 3.12 on our own memoryview instead of a copy of the caller's. A `bytearray`
//! is copied, since its owner may change its size.

use greenloop_cpython::{Bytes, Object, Result};
use pyo3::ffi;

/// Pending bytes, and the object that owns them: `bytes`, or a memoryview that is held nowhere
/// else.
pub struct Chunk {
    /// Held for the memory, and never looked at.
    _owner: Object,
    data: *const u8,
}

impl Chunk {
    /// Some bytes of `owner`'s.
    ///
    /// # Safety
    /// The bytes in the ranges that the queue gives for it are valid as long as `owner` is held.
    const unsafe fn new(owner: Object, data: *const u8) -> Self {
        Self {
            _owner: owner,
            data,
        }
    }

    pub fn slice(&self, range: std::ops::Range<usize>) -> &[u8] {
        // SAFETY: by what `new` demands, and the queue gives parts of what it was told only.
        unsafe { std::slice::from_raw_parts(self.data.add(range.start), range.len()) }
    }
}

pub fn may_be_written(data: &Object) -> bool {
    let object = data.as_ptr();
    // SAFETY: the object is valid.
    unsafe {
        ffi::PyBytes_Check(object) != 0
            || ffi::PyByteArray_Check(object) != 0
            || ffi::PyMemoryView_Check(object) != 0
    }
}

/// A chunk of anything that has bytes, and its length. Nothing is copied.
#[cfg(Py_3_12)]
pub fn chunk_of(data: &Object) -> Result<(Chunk, usize)> {
    // SAFETY: the bytes belong to the owner that is kept: a `bytes` never changes, and a memoryview
    // keeps what it shows from being freed or moved.
    unsafe {
        let owner = if ffi::PyBytes_Check(data.as_ptr()) == 0 {
            Object::from_returned(ffi::PyMemoryView_FromObject(data.as_ptr()))?
        } else {
            data.clone()
        };
        let bytes = Bytes::of_unchanging(&owner)?;
        let (start, length) = (bytes.as_ptr(), bytes.len());
        drop(bytes);
        Ok((Chunk::new(owner, start), length))
    }
}

/// A chunk of the bytes after the first `sent` of `data`, and its length.
pub fn rest_of(data: &Object, sent: usize) -> Result<(Chunk, usize)> {
    // SAFETY: a `bytes` is kept itself, and does not change; of others a copy, or where that is
    // allowed a memoryview of our own, which keeps the memory in place.
    unsafe {
        let exact = ffi::PyBytes_Check(data.as_ptr()) != 0;
        let shown = cfg!(Py_3_12) && ffi::PyMemoryView_Check(data.as_ptr()) != 0;
        let owner = if exact && cfg!(Py_3_12) {
            data.clone()
        } else if shown {
            Object::from_returned(ffi::PyMemoryView_FromObject(data.as_ptr()))?
        } else {
            let bytes = Bytes::of_unchanging(data)?;
            let rest = &bytes[sent..];
            let (start, len) = (rest.as_ptr().cast(), rest.len() as ffi::Py_ssize_t);
            Object::from_returned(ffi::PyBytes_FromStringAndSize(start, len))?
        };
        let whole = (exact && cfg!(Py_3_12)) || shown;
        let bytes = Bytes::of_unchanging(&owner)?;
        let rest = &bytes[if whole { sent } else { 0 }..];
        let (start, length) = (rest.as_ptr(), rest.len());
        drop(bytes);
        Ok((Chunk::new(owner, start), length))
    }
}
