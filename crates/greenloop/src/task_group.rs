//! Tasks that end together.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use slab::Slab;

use crate::sync::Event;
use crate::task::{JoinHandle, Task};

/// Runs `body`, which may spawn tasks into the group that it is given, and is over when it and all
/// of them are: `async with asyncio.TaskGroup()`.
///
/// If `body` or one of the tasks returns an error, the others are aborted, and once they have ended
/// this returns the error. There is only one: an aborted task returns nothing any more.
///
/// *Cancel safety:* dropping it drops `body` and aborts the tasks.
///
/// # Errors
/// That of `body` or of a task, whichever came first.
///
/// # Panics
/// If a task panics: with its panic, after the others have ended.
///
/// ```
/// use std::{cell::Cell, num::ParseIntError, rc::Rc};
///
/// let sum_of = |texts: [&'static str; 2]| async move {
///     let sum = Rc::new(Cell::new(0));
///     greenloop::task_group(async |group| {
///         for text in texts {
///             let sum = sum.clone();
///             group.spawn(async move {
///                 sum.set(sum.get() + text.parse::<i32>()?);
///                 Ok(())
///             });
///         }
///         Ok::<_, ParseIntError>(())
///     })
///     .await?;
///     Ok::<_, ParseIntError>(sum.get())
/// };
/// assert_eq!(greenloop::run(sum_of(["1", "2"])), Ok(3));
/// assert!(greenloop::run(sum_of(["1", "two"])).is_err());
/// ```
pub async fn task_group<R, E: 'static>(
    body: impl AsyncFnOnce(TaskGroup<E>) -> Result<R, E>,
) -> Result<R, E> {
    let group = TaskGroup {
        shared: Rc::new(Shared {
            children: RefCell::new(Slab::new()),
            failure: Cell::new(None),
            is_over: Cell::new(false),
            changed: Event::new(),
        }),
    };
    // Ends the tasks also if this future is dropped.
    let scope = Scope(Rc::clone(&group.shared));
    let shared = &*scope.0;
    let outcome = {
        let mut body = pin!(body(group));
        let mut failed = pin!(shared.failed());
        poll_fn(|context| {
            if failed.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            body.as_mut().poll(context).map(Some)
        })
        .await
    };
    let output = match outcome {
        Some(Ok(output)) => Some(output),
        Some(Err(error)) => {
            shared.fail(Failure::Error(error));
            None
        }
        None => None,
    };
    shared.all_ended().await;
    match (shared.failure.take(), output) {
        (Some(Failure::Panic(payload)), _) => resume_unwind(payload),
        (Some(Failure::Error(error)), _) => Err(error),
        (None, Some(output)) => Ok(output),
        (None, None) => unreachable!("without an output there is a failure"),
    }
}

/// The scope in which tasks are spawned that end together; from [`task_group`].
///
/// A clone is the same group, and may be moved into its tasks, which then spawn further ones.
///
/// ```
/// use std::convert::Infallible;
///
/// let outcome = greenloop::run(greenloop::task_group(async |group| {
///     let inner = group.clone();
///     group.spawn(async move {
///         inner.spawn(async { Ok(()) });
///         Ok::<_, Infallible>(())
///     });
///     Ok("all three have ended")
/// }));
/// assert!(outcome.is_ok());
/// ```
pub struct TaskGroup<E> {
    shared: Rc<Shared<E>>,
}

impl<E: 'static> TaskGroup<E> {
    /// Runs `future` as a task of the group. If it returns an error, the group fails with it, and
    /// the handle says that the task was cancelled.
    ///
    /// In a group that has failed or is over the task is aborted at once.
    ///
    /// ```
    /// let answer = greenloop::run(greenloop::task_group(async |group| {
    ///     let task = group.spawn(async { Ok::<_, std::io::Error>(6 * 7) });
    ///     Ok(task.await.unwrap())
    /// }));
    /// assert_eq!(answer.unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> JoinHandle<T> {
        let shared = Rc::clone(&self.shared);
        let place = shared.children.borrow_mut().insert(None);
        let child = Child { shared, place };
        let handle = crate::spawn(child.run(future));
        if self.shared.is_over.get() {
            handle.abort();
        }
        if let Some(child) = self.shared.children.borrow_mut().get_mut(place) {
            *child = Some(Rc::clone(handle.task()));
        }
        handle
    }

    /// How many of its tasks are not finished.
    ///
    /// ```
    /// greenloop::run(greenloop::task_group(async |group| {
    ///     group.spawn(async { Ok::<_, std::io::Error>(()) });
    ///     assert_eq!(group.unfinished_tasks(), 1);
    ///     Ok(())
    /// }));
    /// ```
    pub fn unfinished_tasks(&self) -> usize {
        self.shared.children.borrow().len()
    }
}

/// The state that the tasks of a group and its scope share.
struct Shared<E> {
    /// The tasks that are not finished; a place is empty while its task is being spawned.
    children: RefCell<Slab<Option<Rc<Task>>>>,
    failure: Cell<Option<Failure<E>>>,
    /// Set when the group has failed or its scope has ended.
    is_over: Cell<bool>,
    /// Set when a task has ended or the group has failed; cleared by the scope before it looks.
    changed: Event,
}

enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

impl<E> Shared<E> {
    /// The first failure is the group's. Aborts all tasks.
    fn fail(&self, failure: Failure<E>) {
        if !self.is_over.get() {
            self.failure.set(Some(failure));
        }
        self.end();
    }

    /// Aborts all tasks, in the order of their places.
    fn end(&self) {
        self.is_over.set(true);
        let children: Vec<_> = {
            let children = self.children.borrow();
            children
                .iter()
                .filter_map(|(_, task)| task.clone())
                .collect()
        };
        children.iter().for_each(Task::abort);
        self.changed.set();
    }

    async fn failed(&self) {
        while !self.is_over.get() {
            self.changed.clear();
            self.changed.wait().await;
        }
    }

    async fn all_ended(&self) {
        while !self.children.borrow().is_empty() {
            self.changed.clear();
            self.changed.wait().await;
        }
    }
}

/// The end of the scope, however it comes.
struct Scope<E>(Rc<Shared<E>>);

impl<E> Drop for Scope<E> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A task of the group, while it is one: dropping this takes it out.
struct Child<E> {
    shared: Rc<Shared<E>>,
    place: usize,
}

impl<E> Child<E> {
    async fn run<T>(self, future: impl Future<Output = Result<T, E>>) -> T {
        let outcome = {
            let mut future = pin!(future);
            poll_fn(|context| {
                let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
                match polled {
                    Ok(progress) => progress.map(|outcome| outcome.map_err(Failure::Error)),
                    Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
                }
            })
            .await
        };
        match outcome {
            Ok(output) => output,
            Err(failure) => {
                self.shared.fail(failure);
                // It is aborted with the others.
                std::future::pending().await
            }
        }
    }
}

impl<E> Drop for Child<E> {
    fn drop(&mut self) {
        let removed = self.shared.children.borrow_mut().try_remove(self.place);
        drop(removed);
        self.shared.changed.set();
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TaskGroup")
            .field("unfinished_tasks", &self.shared.children.borrow().len())
            .field("is_over", &self.shared.is_over.get())
            .finish()
    }
}
