//! A number of permits, granted in the order of the requests.

use std::cell::Cell;

use crate::{WaitList, WaiterState};

/// Held by as many tasks at a time as its value says. A released permit goes to the first waiter at
/// that moment: the value never counts permits that a woken waiter is about to use.
///
/// `WAKES_ALL` is the rule of how many a waiter that leaves the line wakes in turn: as many as the
/// value allows, as asyncio does from Python 3.13 on, or one, as it did before.
#[derive(Debug)]
pub struct Semaphore<L, const WAKES_ALL: bool = true> {
    value: Cell<i64>,
    /// The tasks that wait for a permit.
    pub waiters: L,
}

/// A permit was released that cannot have been acquired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReleasedTooOften;

impl<L: WaitList, const WAKES_ALL: bool> Semaphore<L, WAKES_ALL> {
    /// A semaphore of `value` permits.
    pub const fn new(value: i64, waiters: L) -> Self {
        Self {
            value: Cell::new(value),
            waiters,
        }
    }

    /// The number of permits that are neither held nor about to be taken by a woken waiter.
    #[inline]
    pub fn value(&self) -> i64 {
        self.value.get()
    }

    /// Sets the number of permits, without waking a waiter.
    pub fn set_value(&self, value: i64) {
        self.value.set(value);
    }

    /// Whether a new request has to wait, for a permit or behind earlier ones.
    ///
    /// # Errors
    /// As [`WaitList::waiter_state`].
    #[inline]
    pub fn is_locked(&self) -> Result<bool, L::Error> {
        Ok(self.value.get() == 0 || !self.waiters.all_cancelled()?)
    }

    /// Takes a permit without asking whether there is one.
    #[inline]
    pub fn take(&self) {
        self.value.set(self.value.get().saturating_sub(1));
    }

    /// Takes a permit if there is no need to wait. Returns whether it did; if not, the caller waits
    /// in [`waiters`](Self::waiters).
    ///
    /// # Errors
    /// As [`WaitList::waiter_state`].
    #[inline]
    pub fn try_acquire(&self) -> Result<bool, L::Error> {
        let free = !self.is_locked()?;
        if free {
            self.take();
        }
        Ok(free)
    }

    /// A woken waiter runs: the permit that was taken for it is its own. Those behind it may have
    /// had to wait for its sake alone, and are woken.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn take_over(&self, waiter: &L::Waiter) -> Result<(), L::Error> {
        self.waiters.remove(waiter);
        self.wake_allowed()
    }

    /// A waiter is cancelled. If it had been woken, its permit goes to the next one.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn give_up(&self, waiter: &L::Waiter) -> Result<(), L::Error> {
        let waiter_state = self.waiters.waiter_state(waiter);
        self.waiters.remove(waiter);
        let waiter_state = waiter_state?;
        if WAKES_ALL {
            if waiter_state == WaiterState::Woken {
                self.put_back();
            }
            self.wake_allowed()
        } else if waiter_state == WaiterState::Cancelled {
            Ok(())
        } else {
            // This includes one that was not woken, if its driver throws a cancellation: the older
            // asyncio makes a permit of that.
            self.put_back();
            self.wake_next().map(drop)
        }
    }

    /// A waiter ends by an exception that is no cancellation. Its permit, if it had one, is lost.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn abandon(&self, waiter: &L::Waiter) -> Result<(), L::Error> {
        self.waiters.remove(waiter);
        if WAKES_ALL {
            self.wake_allowed()
        } else {
            Ok(())
        }
    }

    /// Releases a permit, to the first waiter if there is one.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn release(&self) -> Result<(), L::Error> {
        self.put_back();
        self.wake_next().map(drop)
    }

    /// As [`release`](Self::release), but never above `bound` permits. `Ok(Err(_))` if there are as
    /// many.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn release_below(&self, bound: i64) -> Result<Result<(), ReleasedTooOften>, L::Error> {
        if self.value.get() >= bound {
            return Ok(Err(ReleasedTooOften));
        }
        self.release().map(Ok)
    }

    /// Takes a permit for the first waiter and wakes it. Returns whether there was one.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn wake_next(&self) -> Result<bool, L::Error> {
        let mut next = self.waiters.first();
        while let Some(waiter) = next {
            if self.waiters.waiter_state(&waiter)? == WaiterState::Waiting {
                self.take();
                self.waiters.wake(&waiter)?;
                return Ok(true);
            }
            next = self.waiters.after(&waiter);
        }
        Ok(false)
    }

    #[inline]
    fn wake_allowed(&self) -> Result<(), L::Error> {
        while self.value.get() > 0 {
            if !self.wake_next()? || !WAKES_ALL {
                break;
            }
        }
        Ok(())
    }

    #[inline]
    fn put_back(&self) {
        self.value.set(self.value.get().saturating_add(1));
    }
}
