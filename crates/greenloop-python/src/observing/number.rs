//! `Number`: which task or resource it is, in events.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of a task or a resource, given when it is first asked for. Zero is none yet.
///
/// A number is never used again, unless a process has four billion of them.
pub struct Number(Cell<u32>);

/// The last number that was given.
static LAST: AtomicU32 = AtomicU32::new(0);

/// The last number that was given, or 0.
pub fn last_number() -> u32 {
    LAST.load(Ordering::Relaxed)
}

impl Number {
    /// No number yet.
    pub const fn none() -> Self {
        Self(Cell::new(0))
    }

    /// The number.
    #[inline]
    pub fn get(&self) -> u32 {
        if self.0.get() == 0 {
            self.give();
        }
        self.0.get()
    }

    /// The number, or 0 if nobody has asked for it.
    #[inline]
    pub fn known(&self) -> u32 {
        self.0.get()
    }

    #[cold]
    fn give(&self) {
        // The GIL makes the two accesses one. After the last number comes the first, not 0.
        let number = LAST.load(Ordering::Relaxed).checked_add(1).unwrap_or(1);
        LAST.store(number, Ordering::Relaxed);
        self.0.set(number);
    }
}
