//! A lock that is granted in the order of the requests.

use std::cell::Cell;

use crate::{WaitList, WaiterState};

/// Held by one task at a time. Releasing it wakes the first waiter, and a task that comes before
/// that one has run waits behind it.
#[derive(Debug, Default)]
pub struct Lock<L> {
    locked: Cell<bool>,
    /// The tasks that wait for the lock.
    pub waiters: L,
}

/// The lock was released although it was not held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAcquired;

impl<L: WaitList> Lock<L> {
    /// A free lock.
    pub const fn new(waiters: L) -> Self {
        Self {
            locked: Cell::new(false),
            waiters,
        }
    }

    /// Whether the lock is held.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.locked.get()
    }

    /// Sets whether the lock is held, without waking a waiter.
    pub fn set_locked(&self, locked: bool) {
        self.locked.set(locked);
    }

    /// Takes the lock if it is free and no earlier waiter still wants it. Returns whether it did;
    /// if not, the caller waits in [`waiters`](Self::waiters).
    ///
    /// # Errors
    /// As [`WaitList::waiter_state`].
    #[inline]
    pub fn try_acquire(&self) -> Result<bool, L::Error> {
        if self.locked.get() || !self.waiters.all_cancelled()? {
            return Ok(false);
        }
        self.locked.set(true);
        Ok(true)
    }

    /// A woken waiter runs: the lock is its own.
    #[inline]
    pub fn take_over(&self, waiter: &L::Waiter) {
        self.waiters.remove(waiter);
        self.locked.set(true);
    }

    /// A waiter gives up. If the lock is free, the next one gets the wake-up that this one may have
    /// had.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn give_up(&self, waiter: &L::Waiter) -> Result<(), L::Error> {
        self.waiters.remove(waiter);
        if self.locked.get() {
            Ok(())
        } else {
            self.wake_first()
        }
    }

    /// Releases the lock and wakes the first waiter. `Ok(Err(_))` if it was not held.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn release(&self) -> Result<Result<(), NotAcquired>, L::Error> {
        if !self.locked.replace(false) {
            return Ok(Err(NotAcquired));
        }
        self.wake_first().map(Ok)
    }

    /// Wakes the first waiter unless it was woken or cancelled already: it will run, and take the
    /// lock or hand the wake-up on.
    #[inline]
    fn wake_first(&self) -> Result<(), L::Error> {
        if let Some(first) = self.waiters.first() {
            if self.waiters.waiter_state(&first)? == WaiterState::Waiting {
                return self.waiters.wake(&first);
            }
        }
        Ok(())
    }
}
