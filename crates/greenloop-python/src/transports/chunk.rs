//! What is written, as bytes: looked at for the length of a call, or kept with the object whose
//! they are.
//!
//! What is kept is kept as asyncio of the running version does, as far as that can be told: `bytes`
//! themselves, and from 3.12 on a memoryview of our own instead of a copy of what the caller's
//! shows. A `bytearray` is copied, since its owner may change its size.

use std::mem::MaybeUninit;

use greenloop_cpython::{Object, Raised, Result};
use pyo3::ffi;

/// Bytes that wait, and the object whose they are: `bytes`, or a memoryview that nobody else has.
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

/// What is to be written, seen for the length of a call.
pub struct View<'a> {
    pub bytes: &'a [u8],
    /// A memoryview's buffer, to be released.
    buffer: Option<ffi::Py_buffer>,
}

impl<'a> View<'a> {
    /// The bytes of `data`, which is a `bytes`, a `bytearray` or a memoryview. Nothing else may
    /// happen to a `bytearray` meanwhile.
    pub fn of(data: &'a Object) -> Result<Self> {
        let object = data.as_ptr();
        // SAFETY: each function is for the class that was tested; the sizes are those of the
        // memory.
        unsafe {
            let (start, len) = if ffi::PyBytes_Check(object) != 0 {
                (ffi::PyBytes_AsString(object), ffi::PyBytes_Size(object))
            } else if ffi::PyByteArray_Check(object) != 0 {
                (
                    ffi::PyByteArray_AsString(object),
                    ffi::PyByteArray_Size(object),
                )
            } else {
                let mut buffer = MaybeUninit::<ffi::Py_buffer>::uninit();
                if ffi::PyObject_GetBuffer(object, buffer.as_mut_ptr(), ffi::PyBUF_SIMPLE) < 0 {
                    return Err(Raised);
                }
                let buffer = buffer.assume_init();
                let bytes = raw_bytes(buffer.buf.cast(), buffer.len);
                return Ok(Self {
                    bytes,
                    buffer: Some(buffer),
                });
            };
            Ok(Self {
                bytes: raw_bytes(start.cast(), len),
                buffer: None,
            })
        }
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            // SAFETY: the buffer was acquired once and is released once.
            unsafe { ffi::PyBuffer_Release(&raw mut *buffer) };
        }
    }
}

/// # Safety
/// `start` points to `len` bytes that stay as they are for the lifetime, or `len` is 0.
unsafe fn raw_bytes<'a>(start: *const u8, len: ffi::Py_ssize_t) -> &'a [u8] {
    match len {
        0 => &[],
        // SAFETY: promised by the caller.
        len => unsafe { std::slice::from_raw_parts(start, len as usize) },
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
        let view = View::of(&owner)?;
        let (start, length) = (view.bytes.as_ptr(), view.bytes.len());
        drop(view);
        Ok((Chunk::new(owner, start), length))
    }
}

/// A chunk of what follows the first `sent` bytes of `data`, and its length.
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
            let rest = &View::of(data)?.bytes[sent..];
            let (start, len) = (rest.as_ptr().cast(), rest.len() as ffi::Py_ssize_t);
            Object::from_returned(ffi::PyBytes_FromStringAndSize(start, len))?
        };
        let whole = (exact && cfg!(Py_3_12)) || shown;
        let view = View::of(&owner)?;
        let rest = &view.bytes[if whole { sent } else { 0 }..];
        let (start, length) = (rest.as_ptr(), rest.len());
        drop(view);
        Ok((Chunk::new(owner, start), length))
    }
}
