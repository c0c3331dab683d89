//! The result of `spawn`, which gives access to a task's outcome.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::work::drop_quietly;
use super::{JoinError, Task};
use crate::waiting::WakeTarget;

/// A spawned task. Awaiting it gives the task's output, or a [`JoinError`].
///
/// Dropping the handle does not end the task, which goes on by itself.
///
/// *Cancel safety:* awaiting a `&mut` handle may be given up and begun again; the outcome is kept.
/// A handle that was awaited to its end must not be awaited again.
///
/// ```
/// greenloop::run(async {
///     let mut task = greenloop::spawn(async { 6 * 7 });
///     assert_eq!((&mut task).await.unwrap(), 42);
/// });
/// ```
pub struct JoinHandle<T> {
    task: Rc<Task>,
    /// The output is in the task, and is moved out of it.
    output: PhantomData<fn() -> T>,
}

impl<T: 'static> JoinHandle<T> {
    /// The handle of a task that was spawned with one.
    pub(crate) const fn new(task: Rc<Task>) -> Self {
        Self {
            task,
            output: PhantomData,
        }
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task: in the next turn its future is dropped where it waits, and its outcome is
    /// that it was cancelled. A task that finishes before that has its own outcome. Aborting a
    /// finished task does nothing.
    ///
    /// ```
    /// greenloop::run(async {
    ///     let task = greenloop::spawn(std::future::pending::<()>());
    ///     task.abort();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        Task::abort(&self.task);
    }

    /// Whether the task has an outcome.
    ///
    /// ```
    /// greenloop::run(async {
    ///     let task = greenloop::spawn(async {});
    ///     assert!(!task.is_finished());
    ///     greenloop::yield_now().await;
    ///     assert!(task.is_finished());
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.task.finished.get()
    }

    pub(crate) const fn task(&self) -> &Rc<Task> {
        &self.task
    }

    /// Gives the task a name, for messages.
    ///
    /// ```
    /// greenloop::run(async {
    ///     let task = greenloop::spawn(async {}).with_name("clean up");
    ///     assert_eq!(task.name().as_deref(), Some("clean up"));
    /// });
    /// ```
    #[must_use = "it is the handle, and dropping it detaches the task"]
    pub fn with_name(self, name: impl Into<Rc<str>>) -> Self {
        self.task.name.set(Some(name.into()));
        self
    }

    /// The task's name, or `None` if it was not given one.
    ///
    /// ```
    /// greenloop::run(async {
    ///     assert_eq!(greenloop::spawn(async {}).name(), None);
    /// });
    /// ```
    pub fn name(&self) -> Option<Rc<str>> {
        self.task.name()
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let task = &self.task;
        if !task.finished.get() {
            let joiner = task.joiner.take();
            let joiner = match joiner {
                Some(joiner) if joiner.is_of(context) => joiner,
                _ => WakeTarget::of(context),
            };
            task.joiner.set(Some(joiner));
            return Poll::Pending;
        }
        let mut outcome: Option<Result<T, JoinError>> = None;
        if let Some(mut work) = task.work.take() {
            let place: &mut dyn Any = &mut outcome;
            work.as_mut().take_outcome(place);
            drop_quietly(work);
        }
        match outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => panic!("a `JoinHandle` was awaited again after it had given its outcome"),
        }
    }
}

/// Nobody wants to know the outcome any more.
impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        let task = &self.task;
        task.has_handle.set(false);
        let joiner = task.joiner.take();
        drop(joiner);
        if task.finished.get() {
            if let Some(work) = task.work.take() {
                drop_quietly(work);
            }
            task.event_loop.tasks().recycle(task);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JoinHandle")
            .field("name", &self.task.name())
            .field("finished", &self.task.finished.get())
            .finish()
    }
}
