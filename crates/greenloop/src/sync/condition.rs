//! Waiting, with a lock released, until a task notifies that something has changed.

use std::fmt;
use std::task::Context;

use greenloop_core::{WaitList as _, WaiterState, sync};

use super::lock::{Acquire, Lock, LockGuard};
use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// Lets tasks wait for a change of the value that a [`Lock`] guards: `asyncio.Condition`.
///
/// ```
/// use greenloop::sync::{Condition, Lock};
///
/// greenloop::run(async {
///     let (count, changed) = (Lock::new(0), Condition::new());
///     greenloop::gather!(
///         async {
///             let count = count.acquire().await;
///             let count = changed.wait_for(count, |count| *count == 3).await;
///             assert_eq!(*count, 3);
///         },
///         async {
///             for _ in 0..3 {
///                 *count.acquire().await += 1;
///                 changed.notify_all();
///             }
///         },
///     ).await;
/// });
/// ```
#[derive(Default)]
pub struct Condition {
    logic: sync::Condition<Line>,
}

impl Condition {
    /// A condition without waiters.
    ///
    /// ```
    /// let condition = greenloop::sync::Condition::new();
    /// condition.notify_one(); // Without a waiter it has no effect.
    /// ```
    pub const fn new() -> Self {
        Self {
            logic: sync::Condition::new(Line::new()),
        }
    }

    /// Releases the lock, waits to be notified, and acquires the lock again.
    ///
    /// Between the notification and the lock others may have changed the value, and another waiter
    /// may have passed the notification on: look again, as [`wait_for`](Self::wait_for) does.
    ///
    /// *Cancel safety:* the lock is released and stays so. A notification that had arrived already
    /// goes to the next waiter.
    ///
    /// ```
    /// use greenloop::sync::{Condition, Lock};
    ///
    /// greenloop::run(async {
    ///     let (lock, changed) = (Lock::new(false), Condition::new());
    ///     greenloop::gather!(
    ///         async {
    ///             let mut guard = lock.acquire().await;
    ///             while !*guard {
    ///                 guard = changed.wait(guard).await;
    ///             }
    ///         },
    ///         async {
    ///             *lock.acquire().await = true;
    ///             changed.notify_one();
    ///         },
    ///     ).await;
    /// });
    /// ```
    pub async fn wait<'a, T: ?Sized>(&self, guard: LockGuard<'a, T>) -> LockGuard<'a, T> {
        let lock = guard.into_taken();
        let condition = &self.logic;
        let relocked = Wait::new(Notified { condition, lock }).await;
        // The lock was not free: the task that waits for it has a notification to pass on.
        let notification = Notification(condition);
        let guard = match relocked {
            Some(guard) => guard,
            None => Wait::new(Acquire(lock)).await,
        };
        std::mem::forget(notification);
        guard
    }

    /// Waits until `is_so` returns true for the value. It is called at once and after every
    /// notification.
    ///
    /// *Cancel safety:* as [`wait`](Self::wait).
    ///
    /// ```
    /// use greenloop::sync::{Condition, Lock};
    ///
    /// greenloop::run(async {
    ///     let (lock, changed) = (Lock::new(1), Condition::new());
    ///     let guard = lock.acquire().await;
    ///     let guard = changed.wait_for(guard, |value| *value > 0).await; // It is so already.
    ///     assert_eq!(*guard, 1);
    /// });
    /// ```
    pub async fn wait_for<'a, T: ?Sized>(
        &self,
        mut guard: LockGuard<'a, T>,
        mut is_so: impl FnMut(&mut T) -> bool,
    ) -> LockGuard<'a, T> {
        while !is_so(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wakes the first waiter. Without a waiter the notification has no effect, also not on later
    /// waits.
    ///
    /// Unlike in asyncio the caller need not hold the lock, though it mostly does: no other task
    /// runs meanwhile in any case.
    ///
    /// ```
    /// use greenloop::sync::{Condition, Lock};
    ///
    /// greenloop::run(async {
    ///     let (lock, changed) = (Lock::new(()), Condition::new());
    ///     let wait = async {
    ///         drop(changed.wait(lock.acquire().await).await);
    ///     };
    ///     greenloop::gather!(wait, async { changed.notify_one() }).await;
    /// });
    /// ```
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes the first `limit` waiters, or all if there are fewer. They acquire the lock one after
    /// the other, in the order of their waits.
    ///
    /// ```
    /// use greenloop::sync::{Condition, Lock};
    ///
    /// greenloop::run(async {
    ///     let (lock, changed) = (Lock::new(0), Condition::new());
    ///     let wait = async || *changed.wait(lock.acquire().await).await += 1;
    ///     greenloop::gather!(wait(), wait(), async { changed.notify(2) }).await;
    ///     assert_eq!(lock.into_inner(), 2);
    /// });
    /// ```
    pub fn notify(&self, limit: usize) {
        certain(self.logic.notify(limit));
    }

    /// Wakes all waiters. They acquire the lock one after the other, in the order of their waits.
    ///
    /// ```
    /// greenloop::sync::Condition::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Condition")
            .field("waiting", &self.logic.waiters.len())
            .finish()
    }
}

/// Waiting to be notified. Its output is the lock, if that is free.
struct Notified<'a, 'lock, T: ?Sized> {
    condition: &'a sync::Condition<Line>,
    lock: &'lock Lock<T>,
}

impl<'lock, T: ?Sized> Operation for Notified<'_, 'lock, T> {
    type Output = Option<LockGuard<'lock, T>>;

    fn line(&self) -> &Line {
        &self.condition.waiters
    }

    fn attempt(&mut self) -> Option<Self::Output> {
        None
    }

    fn join(&mut self, context: &Context<'_>) -> Waiter {
        let waiter = self.condition.waiters.enter(context);
        let released = certain(self.condition.begin(self.lock.logic(), &waiter));
        debug_assert_eq!(released, Ok(()), "the holder of the guard had the lock");
        waiter
    }

    fn resume(&mut self, waiter: Waiter) -> Option<Self::Output> {
        let relocked = certain(self.condition.relock(self.lock.logic(), &waiter));
        Some(relocked.then(|| LockGuard::new(self.lock)))
    }

    fn give_up(&mut self, waiter: Waiter) {
        let waiter_state = certain(self.condition.waiters.waiter_state(&waiter));
        self.condition.waiters.remove(&waiter);
        if waiter_state == WaiterState::Woken {
            drop(Notification(self.condition));
        }
    }
}

/// A notification that was received, and has had no effect yet. Dropping it hands it on.
struct Notification<'a>(&'a sync::Condition<Line>);

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        certain(self.0.fail());
    }
}
