//! Loop-thread state: a cell that the GIL guards.
//!
//! `with` hands out `&mut T` for the length of a closure. Two things keep that exclusive: the GIL
//! is held (the rule of [`super`]) and the closure does not come back to the cell, which Python
//! code might do that it runs. The second is tested, or promised by the caller where the test would
//! cost.

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

    /// Runs `body` on the value. `body` should not run Python code, and dropping an object may do
    /// so: `body` returns the objects to drop.
    ///
    /// # Panics
    /// If `body` comes back to the cell.
    #[inline]
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        assert!(!self.borrowed.replace(true), "a GilCell was entered twice");
        let _entered = Entered(&self.borrowed);
        // SAFETY: the GIL keeps other threads out and the flag this one, so this is the only
        // reference.
        body(unsafe { &mut *self.value.get() })
    }

    /// As [`with`](Self::with), without the test.
    ///
    /// # Safety
    /// `body` does not come back to the cell: it runs no Python code, drops no object and keeps
    /// the GIL. Builds with debug assertions test it all the same.
    #[inline]
    pub unsafe fn with_untested<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        if cfg!(debug_assertions) {
            return self.with(body);
        }
        // SAFETY: the GIL keeps other threads out, and the caller this one.
        body(unsafe { &mut *self.value.get() })
    }
}

/// A closure that runs on a cell's value, until it returns or panics.
struct Entered<'a>(&'a Cell<bool>);

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(false);
    }
}

// SAFETY: every access happens with the GIL held, so the cell is never used by two threads at once.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Send for GilCell<T> {}
