//! `bytes` objects that are received into: made with room, and given their length afterwards.
//!
//! ```text
//!         1 new              2 fill              3 finish                  4 reclaim
//!   room ───────► BlankBytes ──────► BlankBytes ─────────► FilledBytes ─────────────► BlankBytes
//!                                        │ copied, cut        │ into_object
//!                                        └────────────────────┴──────────► a bytes object
//! ```
//! Nobody else has the object up to 3, so that its bytes may be written. At 4 it is known whether
//! somebody has kept it.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::slice;

use pyo3::ffi;

use super::error::{Raised, Result};
use super::making;
use super::object::Object;

// PyO3 keeps it to itself.
unsafe extern "C" {
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}

/// A `bytes` object that nobody else has, with room for bytes that are not written yet.
pub struct BlankBytes {
    object: Object,
    /// The number of bytes it has room for, which may differ from its stated length.
    room: usize,
    /// How many of them the last [`fill`](Self::fill) has written.
    written: usize,
}

impl BlankBytes {
    /// A new one with room for `room` bytes, at least one.
    pub fn new(room: usize) -> Result<Self> {
        // An object of no bytes would be the one that all share.
        let room = room.max(1);
        let size = ffi::Py_ssize_t::try_from(room).map_err(|_| super::error::no_memory())?;
        // SAFETY: without a source the bytes are left for the caller to write.
        let object = unsafe {
            Object::from_returned(ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?
        };
        Ok(Self {
            object,
            room,
            written: 0,
        })
    }

    /// How many bytes it has room for.
    #[inline]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// Has `write` write the beginning of the room, `most` bytes at most, and return the part that
    /// it has written. Returns how many bytes that are.
    ///
    /// # Panics
    /// If `write` returns another part than the beginning.
    #[inline]
    pub fn fill(
        &mut self,
        most: usize,
        write: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<&mut [u8]>,
    ) -> io::Result<usize> {
        let most = self.room.min(most);
        // SAFETY: nobody but us has the object, which has room for that many bytes and a NUL.
        let memory = unsafe {
            let start = ffi::PyBytes_AsString(self.object.as_ptr());
            slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>(), most)
        };
        let start = memory.as_ptr().cast::<u8>();
        let written = write(memory)?;
        assert!(
            written.as_ptr() == start && written.len() <= most,
            "the beginning of the memory is written"
        );
        self.written = written.len();
        Ok(self.written)
    }

    /// A new `bytes` of exactly the written bytes.
    pub fn copied(&self) -> Result<Object> {
        // SAFETY: `fill` has seen that they were written, and nobody else writes to them.
        let written = unsafe {
            let start = ffi::PyBytes_AsString(self.object.as_ptr());
            slice::from_raw_parts(start.cast::<u8>(), self.written)
        };
        making::bytes(written)
    }

    /// The object with the length of the written bytes, in its whole memory. Its state is that of
    /// a new one.
    pub fn finish(self) -> FilledBytes {
        let Self {
            object,
            room,
            written,
        } = self;
        // SAFETY: nobody else has the object, which has room for the bytes and a NUL. The hash of
        // what it was before is forgotten: -1 is "not known".
        unsafe {
            let header = object.as_ptr().cast::<ffi::PyBytesObject>();
            (*header).ob_base.ob_size = written as ffi::Py_ssize_t;
            #[expect(deprecated, reason = "there is no function to forget a hash with")]
            let hash = &raw mut (*header).ob_shash;
            hash.write(-1);
            ffi::PyBytes_AsString(object.as_ptr()).add(written).write(0);
        }
        FilledBytes { object, room }
    }

    /// The object, cut to the size of the written bytes.
    ///
    /// # Errors
    /// `MemoryError`
    pub fn cut(self) -> Result<Object> {
        if self.written == self.room {
            return Ok(self.object);
        }
        let size = self.written as ffi::Py_ssize_t;
        let mut pointer = self.object.into_ptr();
        // SAFETY: nobody else has the object, which is given away and comes back, or null with an
        // exception set.
        unsafe {
            if _PyBytes_Resize(&raw mut pointer, size) < 0 {
                return Err(Raised);
            }
            Ok(Object::from_owned(pointer))
        }
    }
}

/// A `bytes` object whose memory may be larger than itself.
pub struct FilledBytes {
    object: Object,
    /// The number of bytes it has room for, or 0 if that is not known.
    room: usize,
}

impl FilledBytes {
    /// Whether it was made of a [`BlankBytes`], and can become one again.
    #[inline]
    pub const fn has_room(&self) -> bool {
        self.room != 0
    }

    /// The memory for other bytes, unless somebody else has the object.
    #[inline]
    pub fn reclaim(self) -> Option<BlankBytes> {
        // SAFETY: the object is valid; one reference is ours.
        let kept = unsafe { ffi::Py_REFCNT(self.object.as_ptr()) } > 1;
        (!kept && self.has_room()).then_some(BlankBytes {
            object: self.object,
            room: self.room,
            written: 0,
        })
    }
}

impl From<Object> for FilledBytes {
    #[inline]
    fn from(object: Object) -> Self {
        Self { object, room: 0 }
    }
}

impl Deref for FilledBytes {
    type Target = Object;

    #[inline]
    fn deref(&self) -> &Object {
        &self.object
    }
}
