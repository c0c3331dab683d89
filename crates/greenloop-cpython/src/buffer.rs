//! The memory of Python objects, looked at or written to without a copy.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::slice;

use pyo3::ffi;

use super::error::{Raised, Result};
use super::object::Object;

/// The memory of an object that has some in one piece, which stays in place until this is dropped.
///
/// Source: PEP 3118. No shape is asked for, so that the view holds no pointer into itself and may
/// be moved.
pub struct Buffer<'a> {
    view: ffi::Py_buffer,
    exporter: PhantomData<&'a Object>,
}

impl<'a> Buffer<'a> {
    /// The memory of `object`, to be read.
    ///
    /// # Errors
    /// The object's error if it has no contiguous memory.
    #[inline]
    pub fn of(object: &'a Object) -> Result<Self> {
        Self::take(object, ffi::PyBUF_SIMPLE)
    }

    /// The memory of `object`, to be written.
    ///
    /// # Errors
    /// As for [`of`](Self::of), and if the memory may not be written.
    #[inline]
    pub fn writable(object: &'a Object) -> Result<Self> {
        Self::take(object, ffi::PyBUF_WRITABLE)
    }

    #[inline]
    fn take(object: &'a Object, flags: c_int) -> Result<Self> {
        let mut view = MaybeUninit::<ffi::Py_buffer>::uninit();
        // SAFETY: the object is valid, and the view is filled if 0 is returned.
        unsafe {
            if ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) < 0 {
                return Err(Raised);
            }
            Ok(Self {
                view: view.assume_init(),
                exporter: PhantomData,
            })
        }
    }

    /// The memory.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self.view.len {
            // There may be no memory at all.
            0 => &[],
            // SAFETY: the exporter keeps that much memory valid until the view is released.
            len => unsafe { slice::from_raw_parts(self.view.buf.cast(), len as usize) },
        }
    }

    /// The memory, to be written; none if the object was asked for memory to be read.
    #[inline]
    pub fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.view.len == 0 || self.view.readonly != 0 {
            return &mut [];
        }
        // SAFETY: as above, and it may be written.
        unsafe { slice::from_raw_parts_mut(self.view.buf.cast(), self.view.len as usize) }
    }
}

impl Drop for Buffer<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the view was filled once and is released once.
        unsafe { ffi::PyBuffer_Release(&raw mut self.view) }
    }
}

/// The bytes of an object. A `bytes` object is not asked for its buffer.
pub enum Bytes<'a> {
    /// Memory that needs not be released.
    Plain(&'a [u8]),
    /// Memory that was asked for.
    Asked(Buffer<'a>),
}

impl<'a> Bytes<'a> {
    /// The bytes of `data`.
    ///
    /// # Errors
    /// As for [`Buffer::of`].
    #[inline]
    pub fn of(data: &'a Object) -> Result<Self> {
        // SAFETY: the functions are for the class that was tested, and a `bytes` never changes.
        unsafe {
            let object = data.as_ptr();
            if ffi::PyBytes_Check(object) != 0 {
                let len = ffi::PyBytes_Size(object) as usize;
                let start = ffi::PyBytes_AsString(object).cast();
                return Ok(Self::Plain(slice::from_raw_parts(start, len)));
            }
        }
        Buffer::of(data).map(Self::Asked)
    }

    /// As [`of`](Self::of), without asking a `bytearray` either.
    ///
    /// # Safety
    /// No Python code runs while the bytes are used: it could change a `bytearray`.
    ///
    /// # Errors
    /// As for [`Buffer::of`].
    #[inline]
    pub unsafe fn of_unchanging(data: &'a Object) -> Result<Self> {
        // SAFETY: the functions are for the class that was tested; the rest is the caller's duty.
        unsafe {
            let object = data.as_ptr();
            if ffi::PyByteArray_Check(object) != 0 {
                let len = ffi::PyByteArray_Size(object) as usize;
                let start = ffi::PyByteArray_AsString(object).cast();
                return Ok(Self::Plain(slice::from_raw_parts(start, len)));
            }
        }
        Self::of(data)
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Asked(buffer) => buffer.bytes(),
        }
    }
}
