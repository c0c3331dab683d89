//! The memory of Python objects, for the length of a system call.

use std::mem::MaybeUninit;

use greenloop_cpython::{Object, Raised, Result};
use pyo3::ffi;

/// The bytes of an object, for reading.
pub struct Bytes<'a> {
    bytes: &'a [u8],
    /// To be released, unless the object is a `bytes`, which needs no asking.
    buffer: Option<ffi::Py_buffer>,
}

impl<'a> Bytes<'a> {
    /// The bytes of `data`. Raises what the object raises if it has none.
    #[inline]
    pub fn of(data: &'a Object) -> Result<Self> {
        let object = data.as_ptr();
        // SAFETY: the functions are for the class that was tested; a `bytes` does not change, and
        // what a buffer shows stays until it is released.
        unsafe {
            if ffi::PyBytes_Check(object) != 0 {
                let len = ffi::PyBytes_Size(object) as usize;
                let bytes = std::slice::from_raw_parts(ffi::PyBytes_AsString(object).cast(), len);
                return Ok(Self {
                    bytes,
                    buffer: None,
                });
            }
            let mut buffer = MaybeUninit::<ffi::Py_buffer>::uninit();
            if ffi::PyObject_GetBuffer(object, buffer.as_mut_ptr(), ffi::PyBUF_SIMPLE) < 0 {
                return Err(Raised);
            }
            let buffer = buffer.assume_init();
            let bytes = match buffer.len {
                // There may be no memory at all.
                0 => &[],
                len => std::slice::from_raw_parts(buffer.buf.cast(), len as usize),
            };
            Ok(Self {
                bytes,
                buffer: Some(buffer),
            })
        }
    }
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl Drop for Bytes<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            // SAFETY: the buffer was acquired once and is released once.
            unsafe { ffi::PyBuffer_Release(&raw mut *buffer) };
        }
    }
}

/// Runs `fill` on the memory of a writable object; it runs no Python code. Raises what the object
/// raises if it cannot be written to.
pub fn with_writable<R>(
    object: &Object,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> R,
) -> Result<R> {
    let mut buffer = MaybeUninit::<ffi::Py_buffer>::uninit();
    // SAFETY: the buffer is filled if 0 is returned, and released once, after its memory was last
    // used.
    unsafe {
        if ffi::PyObject_GetBuffer(object.as_ptr(), buffer.as_mut_ptr(), ffi::PyBUF_WRITABLE) < 0 {
            return Err(Raised);
        }
        let mut buffer = buffer.assume_init();
        let memory = match buffer.len {
            0 => &mut [],
            len => std::slice::from_raw_parts_mut(buffer.buf.cast(), len as usize),
        };
        let result = fill(memory);
        ffi::PyBuffer_Release(&raw mut buffer);
        Ok(result)
    }
}
