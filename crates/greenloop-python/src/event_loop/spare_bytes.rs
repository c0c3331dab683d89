//! `SpareBytes`: a large bytes object that is used again, since the memory of a new one is mapped
//! anew.

use std::cell::Cell;

use greenloop_cpython::{BlankBytes, Result};

/// A bytes object without other references, for the next large receive.
pub struct SpareBytes(Cell<Option<BlankBytes>>);

impl SpareBytes {
    /// None yet.
    pub const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// The spare object if it fits, or a new one.
    ///
    /// A kept object that is more than twice as large stays for a larger receive. Raises a
    /// `MemoryError`.
    pub fn take(&self, room: usize) -> Result<BlankBytes> {
        match self.0.take() {
            Some(kept) if (room..=2 * room).contains(&kept.room()) => Ok(kept),
            other => {
                self.0.set(other);
                BlankBytes::new(room)
            }
        }
    }

    /// Keeps an object for the next time, and drops the one before.
    pub fn keep(&self, object: BlankBytes) {
        self.0.set(Some(object));
    }
}
