//! A flag that tasks wait for.

use std::cell::Cell;

use crate::WaitList;

/// Tasks wait until the flag is set; a task that comes later does not wait.
#[derive(Debug, Default)]
pub struct Event<L> {
    set: Cell<bool>,
    /// The tasks that wait for the flag.
    pub waiters: L,
}

impl<L: WaitList> Event<L> {
    /// An event that is not set.
    pub const fn new(waiters: L) -> Self {
        Self {
            set: Cell::new(false),
            waiters,
        }
    }

    /// Whether the flag is set, so that no task has to wait.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Sets the flag and wakes all waiters, even if it is cleared again before they run.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn set(&self) -> Result<(), L::Error> {
        if !self.set.replace(true) {
            self.waiters.wake_waiting(usize::MAX)?;
        }
        Ok(())
    }

    /// Sets or clears the flag, without waking a waiter.
    pub fn set_value(&self, set: bool) {
        self.set.set(set);
    }

    /// Clears the flag: a task that comes from now on waits.
    #[inline]
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// A waiter runs again, woken or cancelled.
    #[inline]
    pub fn leave(&self, waiter: &L::Waiter) {
        self.waiters.remove(waiter);
    }
}
