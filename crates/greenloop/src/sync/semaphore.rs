//! A number of permits.

use std::fmt;
use std::future::Future;

use greenloop_core::sync;

use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// A number of permits, handed on in the order of asking: `asyncio.Semaphore`.
///
/// ```
/// use std::cell::Cell;
/// use greenloop::sync::Semaphore;
///
/// greenloop::run(async {
///     let semaphore = Semaphore::new(2);
///     let inside = Cell::new(0);
///     let visit = async || {
///         let _permit = semaphore.acquire().await;
///         inside.set(inside.get() + 1);
///         assert!(inside.get() <= 2);
///         greenloop::yield_now().await;
///         inside.set(inside.get() - 1);
///     };
///     greenloop::gather!(visit(), visit(), visit()).await;
/// });
/// ```
pub struct Semaphore {
    logic: sync::Semaphore<Line>,
}

impl Semaphore {
    /// A semaphore of that many permits.
    ///
    /// ```
    /// assert_eq!(greenloop::sync::Semaphore::new(3).value(), 3);
    /// ```
    pub fn new(permits: usize) -> Self {
        let value = i64::try_from(permits).unwrap_or(i64::MAX);
        Self {
            logic: sync::Semaphore::new(value, Line::new()),
        }
    }

    /// Waits for a permit and takes it. Dropping the permit releases it.
    ///
    /// *Cancel safety:* dropping the future gives the place in the line away; a permit that was
    /// already on its way here goes to the next one.
    ///
    /// ```
    /// let semaphore = greenloop::sync::Semaphore::new(1);
    /// greenloop::run(async {
    ///     let permit = semaphore.acquire().await;
    ///     assert!(semaphore.is_locked());
    ///     drop(permit);
    ///     assert!(!semaphore.is_locked());
    /// });
    /// ```
    #[inline]
    pub fn acquire(&self) -> impl Future<Output = Permit<'_>> + Unpin {
        Wait::new(Acquire(self))
    }

    /// Takes a permit if there is one and no task waits for it.
    ///
    /// ```
    /// let semaphore = greenloop::sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        // Made only if it was taken: dropping one releases it.
        certain(self.logic.try_acquire()).then(|| Permit { semaphore: self })
    }

    /// Adds a permit and wakes the first waiter. The permit is a new one, or one that
    /// [`Permit::forget`] has taken for good; a held permit is released by dropping it.
    ///
    /// ```
    /// let semaphore = greenloop::sync::Semaphore::new(0);
    /// semaphore.release();
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    #[inline]
    pub fn release(&self) {
        certain(self.logic.release());
    }

    /// The number of permits that are neither held nor about to be taken by a woken waiter.
    ///
    /// ```
    /// let semaphore = greenloop::sync::Semaphore::new(2);
    /// let _permit = semaphore.try_acquire();
    /// assert_eq!(semaphore.value(), 1);
    /// ```
    pub fn value(&self) -> usize {
        usize::try_from(self.logic.value()).unwrap_or(0)
    }

    /// Whether a new request has to wait.
    ///
    /// ```
    /// assert!(greenloop::sync::Semaphore::new(0).is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        certain(self.logic.is_locked())
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Semaphore")
            .field("value", &self.value())
            .field("waiting", &self.logic.waiters.len())
            .finish()
    }
}

/// A permit of a [`Semaphore`]. Dropping it releases it, to the first waiter if there is one.
///
/// ```
/// use greenloop::sync::{Permit, Semaphore};
///
/// let semaphore = Semaphore::new(1);
/// let permit: Option<Permit<'_>> = semaphore.try_acquire();
/// assert_eq!(semaphore.value(), 0);
/// drop(permit);
/// assert_eq!(semaphore.value(), 1);
/// ```
#[must_use = "the permit is released when it is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit for good, or until [`Semaphore::release`].
    ///
    /// ```
    /// let semaphore = greenloop::sync::Semaphore::new(1);
    /// if let Some(permit) = semaphore.try_acquire() {
    ///     permit.forget();
    /// }
    /// assert_eq!(semaphore.value(), 0);
    /// ```
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.release();
    }
}

struct Acquire<'a>(&'a Semaphore);

impl<'a> Operation for Acquire<'a> {
    type Output = Permit<'a>;

    #[inline]
    fn line(&self) -> &Line {
        &self.0.logic.waiters
    }

    #[inline]
    fn attempt(&mut self) -> Option<Permit<'a>> {
        self.0.try_acquire()
    }

    #[inline]
    fn resume(&mut self, waiter: Waiter) -> Option<Permit<'a>> {
        certain(self.0.logic.take_over(&waiter));
        Some(Permit { semaphore: self.0 })
    }

    fn give_up(&mut self, waiter: Waiter) {
        certain(self.0.logic.give_up(&waiter));
    }
}
