//! Waiting, with a lock released, until a task notifies that something has changed.

use super::{Lock, NotAcquired};
use crate::WaitList;

/// A waiter holds the lock before and after the wait, but not meanwhile.
///
/// ```text
///              1 begin            2 notify, or it gives up         3 relock
///   has lock ──────────► waiting ──────────────────────────► runs ─────────► has lock
///                                                              │   4 the lock's line
///                                                              └────────────────────►
/// ```
/// 3 is tried at once; if the lock is held, the waiter moves to the lock's own line.
///
/// `HANDS_ON` is the rule for a notification whose receiver fails: it goes to another waiter, as in
/// asyncio from Python 3.13 on, or is lost, as before.
#[derive(Debug, Default)]
pub struct Condition<L, const HANDS_ON: bool = true> {
    /// The tasks that wait to be notified.
    pub waiters: L,
}

impl<L: WaitList, const HANDS_ON: bool> Condition<L, HANDS_ON> {
    /// A condition without waiters.
    pub const fn new(waiters: L) -> Self {
        Self { waiters }
    }

    /// Releases the lock, which the caller holds, and waits. `Ok(Err(_))` if it is not held; then
    /// nothing happened.
    ///
    /// # Errors
    /// As [`WaitList::wake`]; the lock is free then, and the caller does not wait.
    #[inline]
    pub fn begin(
        &self,
        lock: &Lock<L>,
        waiter: &L::Waiter,
    ) -> Result<Result<(), NotAcquired>, L::Error> {
        let released = lock.release()?;
        if released.is_ok() {
            self.waiters.push(waiter);
        }
        Ok(released)
    }

    /// A waiter runs again, notified or not, and tries to get the lock back. If it does not, it has
    /// to wait in the lock's line.
    ///
    /// # Errors
    /// As [`WaitList::waiter_state`].
    #[inline]
    pub fn relock(&self, lock: &Lock<L>, waiter: &L::Waiter) -> Result<bool, L::Error> {
        self.waiters.remove(waiter);
        lock.try_acquire()
    }

    /// Notifies the first `limit` waiters.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn notify(&self, limit: usize) -> Result<(), L::Error> {
        self.waiters.wake_waiting(limit).map(drop)
    }

    /// A wait ends by an exception. If it was notified before, the notification goes to another
    /// waiter, which at worst wakes for nothing, as conditions allow.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn fail(&self) -> Result<(), L::Error> {
        if HANDS_ON { self.notify(1) } else { Ok(()) }
    }
}
