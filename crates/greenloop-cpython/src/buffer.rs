//! The memory of Python objects, looked at or written to without a copy.

use std::ffi::c_int;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::slice;

use greenloop_os::address::Address;
use greenloop_os::{datagram, socket};
use pyo3::ffi;

use super::error::{Raised, Result};
use super::memory::Memory;
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

    /// The memory, to be read.
    #[inline]
    pub fn memory(&self) -> Memory<'_> {
        // SAFETY: the exporter keeps that much memory valid until the view is released.
        unsafe { Memory::new(self.view.buf.cast(), self.len()) }
    }

    /// How many bytes there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.view.len as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [`socket::receive`] into the memory: how many bytes were received.
    ///
    /// # Errors
    /// As for that function.
    #[inline]
    pub fn receive(&mut self, descriptor: RawFd) -> io::Result<usize> {
        // SAFETY: a system call only, which writes to the memory and runs no Python code.
        let room = unsafe { self.room() };
        socket::receive(descriptor, room).map(|bytes| bytes.len())
    }

    /// [`datagram::receive_from`] into the first `size` bytes: how many bytes were received, and
    /// from where. `None` if there are not that many.
    ///
    /// # Errors
    /// As for that function.
    pub fn receive_from(
        &mut self,
        descriptor: RawFd,
        size: usize,
    ) -> Option<io::Result<(usize, Address)>> {
        // SAFETY: as above.
        let room = unsafe { self.room() }.get_mut(..size)?;
        let received = datagram::receive_from(descriptor, room);
        Some(received.map(|(bytes, address)| (bytes.len(), address)))
    }

    /// The memory, to be written; none if the object was asked for memory to be read.
    ///
    /// # Safety
    /// No Python code runs while the slice is used, the GIL is not released, and nothing but bytes
    /// is written.
    #[inline]
    unsafe fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        match self.room_pointer() {
            None => &mut [],
            // SAFETY: the memory may be written, and the caller keeps others from it.
            Some(start) => unsafe { slice::from_raw_parts_mut(start.cast(), self.len()) },
        }
    }

    /// Where the memory to be written begins; `None` if there is none.
    #[inline]
    pub(super) fn room_pointer(&mut self) -> Option<*mut u8> {
        let writable = self.view.len != 0 && self.view.readonly == 0;
        writable.then(|| self.view.buf.cast())
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
    Plain(Memory<'a>),
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
        // SAFETY: the functions are for the class that was tested, and the object is borrowed.
        unsafe {
            let object = data.as_ptr();
            if ffi::PyBytes_Check(object) != 0 {
                let len = ffi::PyBytes_Size(object) as usize;
                let start = ffi::PyBytes_AsString(object).cast();
                return Ok(Self::Plain(Memory::new(start, len)));
            }
        }
        Buffer::of(data).map(Self::Asked)
    }

    /// As [`of`](Self::of), without asking a `bytearray` either.
    ///
    /// # Safety
    /// No Python code runs while the bytes are used: it could change the size of a `bytearray`.
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
                return Ok(Self::Plain(Memory::new(start, len)));
            }
        }
        Self::of(data)
    }

    /// Where they are.
    #[inline]
    pub fn memory(&self) -> Memory<'_> {
        match self {
            Self::Plain(memory) => *memory,
            Self::Asked(buffer) => buffer.memory(),
        }
    }
}
