//! Waiting, with a lock let go of, until somebody says that something has changed.

use super::{Lock, NotAcquired};
use crate::WaitList;

/// Whoever waits has the lock before and after, but not meanwhile.
///
/// ```text
///              1 begin            2 notify, or it gives up         3 relock
///   has lock ──────────► waiting ──────────────────────────► runs ─────────► has lock
///                                                              │   4 the lock's line
///                                                              └────────────────────►
/// ```
/// 3 is tried at once; if somebody has the lock, the waiter moves to the lock's own line.
///
/// `HANDS_ON` is the rule of what becomes of a notification whose receiver fails: it goes to
/// another who waits, as in asyncio from Python 3.13 on, or is lost, as before.
#[derive(Debug, Default)]
pub struct Condition<L, const HANDS_ON: bool = true> {
    /// Those who wait to be notified.
    pub waiters: L,
}

impl<L: WaitList, const HANDS_ON: bool> Condition<L, HANDS_ON> {
    /// A condition for which nobody waits.
    pub const fn new(waiters: L) -> Self {
        Self { waiters }
    }

    /// Who holds the lock lets go of it and waits. `Ok(Err(_))` if nobody held it; then nothing
    /// happened.
    ///
    /// # Errors
    /// As [`WaitList::wake`]; the lock is free then, and nobody waits.
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
    /// As [`WaitList::standing`].
    #[inline]
    pub fn relock(&self, lock: &Lock<L>, waiter: &L::Waiter) -> Result<bool, L::Error> {
        self.waiters.remove(waiter);
        lock.try_acquire()
    }

    /// Notifies the first `limit` of those who wait.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn notify(&self, limit: usize) -> Result<(), L::Error> {
        self.waiters.wake_waiting(limit).map(drop)
    }

    /// A wait ends by an exception. It may have been notified before: then another one has to see
    /// what there was to see, and at worst wakes for nothing, which waiting allows.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    pub fn fail(&self) -> Result<(), L::Error> {
        if HANDS_ON { self.notify(1) } else { Ok(()) }
    }
}
