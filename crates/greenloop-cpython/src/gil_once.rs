//! A value that is made once, with the GIL held.

use std::cell::OnceCell;

/// The value, once it is made.
///
/// Making it may run Python code and let other threads in: the value that is made first stays.
pub struct GilOnce<T>(OnceCell<T>);

impl<T> GilOnce<T> {
    /// The place of a value that is not made yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceCell::new())
    }

    /// The value, if it is made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Keeps `value`, unless there is one already. Returns the one that is kept.
    pub fn keep(&self, value: T) -> &T {
        self.0.get_or_init(|| value)
    }
}

impl<T> Default for GilOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: the cell is read and filled with the GIL held only, as everything of this crate, and
// neither lets go of it in between.
unsafe impl<T> Sync for GilOnce<T> {}
