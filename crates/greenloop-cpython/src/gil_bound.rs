//! `GilBound`: a value of objects in a struct of PyO3's, which demands that threads may share it.

use std::ops::Deref;

/// A `T` that only code holding the GIL reaches, as all code of the extension does.
pub struct GilBound<T>(T);

impl<T> GilBound<T> {
    /// A value for one thread at a time.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for GilBound<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

// SAFETY: the rule of this crate: only the thread that has the GIL reaches the value.
unsafe impl<T> Send for GilBound<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for GilBound<T> {}
