//! A flag that tasks wait for.

use std::fmt;
use std::future::Future;

use greenloop_core::sync;

use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// A flag that tasks wait for: `asyncio.Event`.
///
/// ```
/// use greenloop::sync::Event;
///
/// greenloop::run(async {
///     let ready = Event::new();
///     greenloop::gather!(
///         async {
///             ready.wait().await;
///             assert!(ready.is_set());
///         },
///         async { ready.set() },
///     ).await;
/// });
/// ```
pub struct Event {
    logic: sync::Event<Line>,
}

impl Event {
    /// An event that is not set.
    ///
    /// ```
    /// assert!(!greenloop::sync::Event::new().is_set());
    /// ```
    pub const fn new() -> Self {
        Self {
            logic: sync::Event::new(Line::new()),
        }
    }

    /// Whether it is set.
    ///
    /// ```
    /// let event = greenloop::sync::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.logic.is_set()
    }

    /// Sets the event and wakes all waiters, even if it is cleared again before they run.
    ///
    /// ```
    /// let event = greenloop::sync::Event::new();
    /// event.set();
    /// greenloop::run(event.wait()); // Does not wait.
    /// ```
    #[inline]
    pub fn set(&self) {
        certain(self.logic.set());
    }

    /// Clears the event: a wait that begins from now on does not return before the next
    /// [`set`](Self::set). Waiters that were woken already return all the same.
    ///
    /// ```
    /// let event = greenloop::sync::Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    #[inline]
    pub fn clear(&self) {
        self.logic.clear();
    }

    /// Waits until the event is set.
    ///
    /// *Cancel safety:* dropping the future leaves the event as it is.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenloop::sync::Event;
    ///
    /// greenloop::run(async {
    ///     let event = Rc::new(Event::new());
    ///     let waiting = event.clone();
    ///     let task = greenloop::spawn(async move { waiting.wait().await });
    ///     greenloop::yield_now().await;
    ///     assert!(!task.is_finished());
    ///     event.set();
    ///     task.await.unwrap();
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) -> impl Future<Output = ()> + Unpin {
        Wait::new(WaitForIt(&self.logic))
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiting", &self.logic.waiters.len())
            .finish()
    }
}

/// Waiting for an event of the core's, also for a queue's `join`.
pub(crate) struct WaitForIt<'a>(pub &'a sync::Event<Line>);

impl Operation for WaitForIt<'_> {
    type Output = ();

    #[inline]
    fn line(&self) -> &Line {
        &self.0.waiters
    }

    #[inline]
    fn attempt(&mut self) -> Option<()> {
        self.0.is_set().then_some(())
    }

    /// Also if the event was cleared meanwhile: the wait was for its being set.
    #[inline]
    fn resume(&mut self, waiter: Waiter) -> Option<()> {
        self.0.leave(&waiter);
        Some(())
    }

    fn give_up(&mut self, waiter: Waiter) {
        self.0.leave(&waiter);
    }
}
