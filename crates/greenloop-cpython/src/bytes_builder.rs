//! A `bytes` object that grows while pieces are put at its end, before anybody else has it.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::{ptr, slice};

use pyo3::ffi;

use super::byte_strings::ByteString;
use super::error::{Raised, Result};
use super::memory::Memory;
use super::object::Object;

/// The object, and how much of it is written.
pub struct BytesBuilder {
    /// Exactly a `bytes`, to which this has the only reference. None once there was no memory for a
    /// larger one.
    object: Object,
    length: usize,
}

impl BytesBuilder {
    /// One that begins with `first` and has room for so many more bytes.
    pub fn new(first: &[u8], room: usize) -> Result<Self> {
        let mut joined = Self {
            object: unwritten(first.len() + room)?,
            length: 0,
        };
        joined.extend(first)?;
        Ok(joined)
    }

    /// Has `write` fill the room behind the written bytes, which is `least` bytes or more, from its
    /// start on. It returns the part that it has written, and this the number of bytes in it.
    pub fn fill(
        &mut self,
        least: usize,
        write: impl for<'a> FnOnce(&'a mut [MaybeUninit<u8>]) -> Result<Option<&'a [u8]>>,
    ) -> Result<Option<usize>> {
        let room = self.room(least)?;
        let (start, most) = (room.as_ptr().cast::<u8>(), room.len());
        let Some(written) = write(room)? else {
            return Ok(None);
        };
        if written.as_ptr() != start || written.len() > most {
            return Ok(Some(0));
        }
        let count = written.len();
        self.length += count;
        Ok(Some(count))
    }

    /// Puts a copy of `bytes` at the end.
    pub fn extend<'a>(&mut self, bytes: impl Into<Memory<'a>>) -> Result<()> {
        let bytes = bytes.into();
        let room = self.room(bytes.len())?;
        // SAFETY: neither the room nor the copy runs Python code.
        for (place, byte) in room.iter_mut().zip(unsafe { bytes.as_slice() }) {
            place.write(*byte);
        }
        self.length += bytes.len();
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

    /// All the room behind the written bytes: `least` bytes or more.
    fn room(&mut self, least: usize) -> Result<&mut [MaybeUninit<u8>]> {
        let capacity = self.capacity();
        if capacity - self.length < least {
            self.resize((2 * capacity).max(self.length + least))?;
        }
        let room = self.capacity() - self.length;
        if room == 0 {
            return Ok(&mut []);
        }
        // SAFETY: what has a capacity is a `bytes`, which is that long, and nobody else has it.
        unsafe {
            let start = ffi::PyBytes_AsString(self.object.as_ptr()).cast::<MaybeUninit<u8>>();
            Ok(slice::from_raw_parts_mut(start.add(self.length), room))
        }
    }

    fn capacity(&self) -> usize {
        ByteString::exactly(&self.object).map_or(0, ByteString::len)
    }

    fn resize(&mut self, size: usize) -> Result<()> {
        let placeholder = Object::none();
        let mut object = std::mem::replace(&mut self.object, placeholder).into_ptr();
        // SAFETY: the only reference is given away, to a function that refuses what is no `bytes`.
        // If that fails the reference is gone, and an exception is set.
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

/// A `bytes` object whose bytes are still to be written.
fn unwritten(size: usize) -> Result<Object> {
    let size = size as ffi::Py_ssize_t;
    // SAFETY: without a source the bytes are left for the caller to write.
    unsafe { Object::from_returned(ffi::PyBytes_FromStringAndSize(ptr::null(), size)) }
}

unsafe extern "C" {
    // Missing from `pyo3::ffi`.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}
