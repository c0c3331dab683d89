//! A value that one task has at a time.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use greenloop_core::sync;

use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// A value that one task has at a time, handed on in the order of asking: `asyncio.Lock`.
///
/// Work without an `await` needs no lock here: no other task runs before the current one awaits
/// something. A lock is for work with awaits in between.
///
/// ```
/// use greenloop::sync::Lock;
///
/// greenloop::run(async {
///     let balance = Lock::new(100);
///     let withdraw = async |amount| {
///         let mut balance = balance.acquire().await;
///         let before = *balance;
///         greenloop::yield_now().await;
///         *balance = before - amount;
///     };
///     greenloop::gather!(withdraw(10), withdraw(20)).await;
///     assert_eq!(*balance.acquire().await, 70);
/// });
/// ```
pub struct Lock<T: ?Sized = ()> {
    logic: sync::Lock<Line>,
    value: RefCell<T>,
}

impl<T> Lock<T> {
    /// A free lock around `value`; `Lock::new(())` if it guards something else.
    ///
    /// ```
    /// let lock = greenloop::sync::Lock::new(());
    /// assert!(!lock.is_locked());
    /// ```
    pub const fn new(value: T) -> Self {
        Self {
            logic: sync::Lock::new(Line::new()),
            value: RefCell::new(value),
        }
    }

    /// Takes the lock apart and returns the value.
    ///
    /// ```
    /// assert_eq!(greenloop::sync::Lock::new(5).into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits for the lock and takes it. Dropping the guard releases it.
    ///
    /// *Cancel safety:* dropping the future gives the place in the line away; if the lock was
    /// already on its way here, the next one gets it.
    ///
    /// ```
    /// let lock = greenloop::sync::Lock::new(vec![1]);
    /// greenloop::run(async {
    ///     lock.acquire().await.push(2);
    /// });
    /// assert_eq!(lock.into_inner(), [1, 2]);
    /// ```
    #[inline]
    pub fn acquire(&self) -> impl Future<Output = LockGuard<'_, T>> + Unpin {
        Wait::new(Acquire(self))
    }

    /// Takes the lock if it is free and no task waits for it.
    ///
    /// ```
    /// let lock = greenloop::sync::Lock::new(());
    /// let guard = lock.try_acquire();
    /// assert!(guard.is_some());
    /// assert!(lock.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<LockGuard<'_, T>> {
        certain(self.logic.try_acquire()).then(|| LockGuard::new(self))
    }

    /// Whether a task holds the lock, which none does between a release and the next step of the
    /// waiter that it has woken.
    ///
    /// ```
    /// let lock = greenloop::sync::Lock::new(());
    /// let guard = lock.try_acquire();
    /// assert!(lock.is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        self.logic.is_locked()
    }

    /// The value, without waiting: no other task can have the lock while this one borrows it
    /// mutably.
    ///
    /// ```
    /// let mut lock = greenloop::sync::Lock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub(super) const fn logic(&self) -> &sync::Lock<Line> {
        &self.logic
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lock")
            .field("value", &&self.value)
            .field("locked", &self.is_locked())
            .field("waiting", &self.logic.waiters.len())
            .finish()
    }
}

/// The right to a [`Lock`], and the access to its value. Dropping it releases the lock and wakes
/// the first waiter.
///
/// From then on the lock is reserved for that waiter: until it has run, all other tasks wait behind
/// it, and [`try_acquire`](Lock::try_acquire) returns `None`.
///
/// ```
/// use greenloop::sync::{Lock, LockGuard};
///
/// let lock = Lock::new(vec![1]);
/// let mut guard: LockGuard<'_, Vec<i32>> = greenloop::run(lock.acquire());
/// guard.push(2);
/// assert_eq!(*guard, [1, 2]);
/// drop(guard);
/// assert!(!lock.is_locked());
/// ```
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<'a, T: ?Sized = ()> {
    lock: &'a Lock<T>,
    /// Empty once the guard is taken apart.
    value: Option<RefMut<'a, T>>,
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// The guard of a lock that was just taken.
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>) -> Self {
        Self {
            lock,
            value: Some(lock.value.borrow_mut()),
        }
    }

    /// The lock, which stays taken: the caller releases it.
    #[inline]
    pub(super) fn into_taken(mut self) -> &'a Lock<T> {
        self.value = None;
        self.lock
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.value.take().is_some() {
            let released = certain(self.lock.logic.release());
            debug_assert_eq!(released, Ok(()), "the holder of a guard has the lock");
        }
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // There until the guard is taken apart, which consumes it.
        self.value.as_deref().expect("a guard has its value")
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("a guard has its value")
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

/// Waiting for a lock.
pub(super) struct Acquire<'a, T: ?Sized>(pub &'a Lock<T>);

impl<'a, T: ?Sized> Operation for Acquire<'a, T> {
    type Output = LockGuard<'a, T>;

    #[inline]
    fn line(&self) -> &Line {
        &self.0.logic.waiters
    }

    #[inline]
    fn attempt(&mut self) -> Option<LockGuard<'a, T>> {
        self.0.try_acquire()
    }

    #[inline]
    fn resume(&mut self, waiter: Waiter) -> Option<LockGuard<'a, T>> {
        self.0.logic.take_over(&waiter);
        Some(LockGuard::new(self.0))
    }

    fn give_up(&mut self, waiter: Waiter) {
        certain(self.0.logic.give_up(&waiter));
    }
}
