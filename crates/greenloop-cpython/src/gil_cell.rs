//! Loop-thread state: a cell that the GIL guards.
//!
//! `with` hands out `&mut T` for the length of a closure. Two things keep that exclusive: the GIL
//! is held (the rule of [`super`]) and the closure runs no Python code, so nothing can come back
//! in. The second is a promise of each closure; builds with debug assertions check it.

use std::cell::{Cell, UnsafeCell};

/// A `T` that only code holding the GIL reaches, a few instructions at a time.
pub struct GilCell<T> {
    value: UnsafeCell<T>,
    borrowed: Cell<bool>,
}

impl<T> GilCell<T> {
    /// A cell around `value`.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(value),
            borrowed: Cell::new(false),
        }
    }

    /// Runs `body` on the value. `body` must not run Python code, and dropping an object may do so:
    /// `body` returns the objects to drop.
    ///
    /// # Panics
    /// In builds with debug assertions, if `body` comes back to the cell.
    #[inline]
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        if cfg!(debug_assertions) {
            assert!(!self.borrowed.replace(true), "a GilCell was entered twice");
        }
        // SAFETY: the GIL keeps other threads out and `body` runs no Python code, so this is the
        // only reference.
        let result = body(unsafe { &mut *self.value.get() });
        self.borrowed.set(false);
        result
    }
}

// SAFETY: every access happens with the GIL held, so the cell is never used by two threads at once.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Send for GilCell<T> {}
