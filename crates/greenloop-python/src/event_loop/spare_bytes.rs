//! `SpareBytes`: a large bytes object that is used again, since the memory of a new one is mapped
//! anew.

use std::cell::Cell;

use greenloop_cpython::{Object, Result, Slot};
use pyo3::ffi;

/// A bytes object without other references, for the next large receive.
pub struct SpareBytes {
    object: Slot,
    /// The number of bytes it has room for, which may differ from its stated length.
    room: Cell<usize>,
}

impl SpareBytes {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            object: Slot::empty(),
            room: Cell::new(0),
        }
    }

    /// The spare object if it fits, or a new one, and its room.
    pub fn take(&self, room: usize) -> Result<(Object, usize)> {
        let kept = self.room.get();
        if (room..=2 * room).contains(&kept) {
            if let Some(object) = self.object.take() {
                return Ok((object, kept));
            }
        }
        // SAFETY: without a source the bytes are left for the caller to write.
        let object = unsafe {
            Object::from_returned(ffi::PyBytes_FromStringAndSize(
                std::ptr::null(),
                room as ffi::Py_ssize_t,
            ))?
        };
        Ok((object, room))
    }

    /// Keeps an object without other references, and the number of bytes it has room for.
    pub fn keep(&self, object: Object, room: usize) {
        self.room.set(room);
        self.object.set(object);
    }
}
