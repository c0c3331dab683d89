//! A look at the memory of an object of the application's, which stays in place meanwhile.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::slice;

use greenloop_cpython::{Object, Raised, Result};
use pyo3::ffi;

/// The memory, until this is dropped.
pub struct View(Box<ffi::Py_buffer>);

impl View {
    /// Raises unless the object has bytes that lie in one piece.
    pub fn of_bytes(object: &Object) -> Result<Self> {
        Self::take(object, ffi::PyBUF_SIMPLE)
    }

    /// Raises unless the object has such memory that can be written.
    pub fn of_room(object: &Object) -> Result<Self> {
        Self::take(object, ffi::PyBUF_WRITABLE)
    }

    fn take(object: &Object, flags: c_int) -> Result<Self> {
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::zeroed());
        // SAFETY: the object is valid, and the struct stays where it is until it is released.
        unsafe {
            if ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) < 0 {
                return Err(Raised);
            }
            Ok(Self(view.assume_init()))
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self.0.len {
            // There may be no memory at all.
            0 => &[],
            // SAFETY: the exporter keeps that much memory valid until the view is released.
            length => unsafe { slice::from_raw_parts(self.0.buf.cast(), length as usize) },
        }
    }

    /// The memory of a view [`of_room`](Self::of_room).
    pub fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.0.len == 0 || self.0.readonly != 0 {
            return &mut [];
        }
        // SAFETY: as above, and it may be written.
        unsafe { slice::from_raw_parts_mut(self.0.buf.cast(), self.0.len as usize) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the view was filled by `PyObject_GetBuffer`.
        unsafe { ffi::PyBuffer_Release(&raw mut *self.0) }
    }
}
