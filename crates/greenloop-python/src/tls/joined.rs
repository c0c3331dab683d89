//! A `bytes` object that grows while pieces are put at its end, before anybody else has it.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::slice;

use greenloop_cpython::{Object, Raised, Result};
use pyo3::ffi;

/// The object, and how much of it is written.
pub struct Joined {
    object: Object,
    length: usize,
}

impl Joined {
    /// One that begins with the bytes of `first` and has room for so many more.
    pub fn new(first: Option<Object>, room: usize) -> Result<Self> {
        let length = first.as_ref().map_or(0, size_of);
        let mut joined = Self {
            object: new_bytes(length + room)?,
            length: 0,
        };
        if let Some(first) = first {
            // SAFETY: it is a bytes object, which is held here.
            let bytes = unsafe {
                let start = ffi::PyBytes_AsString(first.as_ptr()).cast();
                slice::from_raw_parts(start, length)
            };
            joined.extend(bytes)?;
        }
        Ok(joined)
    }

    /// All the room behind the written bytes: `least` bytes or more.
    pub fn room(&mut self, least: usize) -> Result<&mut [MaybeUninit<u8>]> {
        let capacity = size_of(&self.object);
        if capacity - self.length < least {
            self.resize((2 * capacity).max(self.length + least))?;
        }
        let room = size_of(&self.object) - self.length;
        // SAFETY: nobody else has the object, which is as long as that.
        unsafe {
            let start = ffi::PyBytes_AsString(self.object.as_ptr()).cast::<MaybeUninit<u8>>();
            Ok(slice::from_raw_parts_mut(start.add(self.length), room))
        }
    }

    /// So many bytes of the room were written.
    pub fn advance(&mut self, count: usize) {
        self.length = (self.length + count).min(size_of(&self.object));
    }

    /// Puts a copy of `bytes` at the end.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<()> {
        let room = self.room(bytes.len())?;
        for (place, byte) in room.iter_mut().zip(bytes) {
            place.write(*byte);
        }
        self.advance(bytes.len());
        Ok(())
    }

    /// The object, cut to the written bytes, or `None` if there are none.
    pub fn finish(mut self) -> Result<Option<Object>> {
        if self.length == 0 {
            return Ok(None);
        }
        self.resize(self.length)?;
        Ok(Some(self.object))
    }

    /// Changes the size of the bytes object, which nobody else has seen.
    fn resize(&mut self, size: usize) -> Result<()> {
        let placeholder = Object::none();
        let mut object = std::mem::replace(&mut self.object, placeholder).into_ptr();
        // SAFETY: the only reference is given away. If that fails it is gone, an exception is set,
        // and the caller drops what is left of this.
        unsafe {
            if _PyBytes_Resize(&raw mut object, size as ffi::Py_ssize_t) < 0 {
                self.length = 0;
                return Err(Raised);
            }
            self.object = Object::from_owned(object);
        }
        Ok(())
    }
}

fn size_of(bytes: &Object) -> usize {
    // SAFETY: the callers pass bytes objects.
    unsafe { ffi::PyBytes_Size(bytes.as_ptr()) as usize }
}

/// A bytes object whose bytes are still to be written.
fn new_bytes(size: usize) -> Result<Object> {
    let size = size as ffi::Py_ssize_t;
    // SAFETY: without a source the bytes are left for the caller to write.
    unsafe { Object::from_returned(ffi::PyBytes_FromStringAndSize(std::ptr::null(), size)) }
}

unsafe extern "C" {
    // Missing from `pyo3::ffi`.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}
