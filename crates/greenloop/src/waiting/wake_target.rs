//! The target of a wake-up: a task of our own loop, or any other waker.

use std::rc::Rc;
use std::task::{Context, Waker};

use crate::runtime::current;
use crate::task::Task;

/// The target of a wake-up.
///
/// A future that is polled by its task itself, with the task's own waker, names the task: waking it
/// is a flag and a push into the ring. One that is polled by something in between, such as a
/// `FuturesUnordered` or another executor, which has to learn which of its futures was woken, keeps
/// the waker that it was given.
#[derive(Clone)]
pub enum WakeTarget {
    /// A task of this thread's loop.
    Task(Rc<Task>),
    /// Anything else.
    Waker(Waker),
}

impl WakeTarget {
    /// The task or waker of `context`.
    #[inline]
    pub fn of(context: &Context<'_>) -> Self {
        let waker = context.waker();
        let task = current::with(|event_loop| event_loop.running_task(waker)).flatten();
        match task {
            Some(task) => Self::Task(task),
            None => Self::Waker(waker.clone()),
        }
    }

    /// Whether that is the task or waker of `context`.
    #[inline]
    pub fn is_of(&self, context: &Context<'_>) -> bool {
        match self {
            Self::Task(task) => task.waker().will_wake(context.waker()),
            Self::Waker(waker) => waker.will_wake(context.waker()),
        }
    }

    /// Wakes it.
    #[inline]
    pub fn wake(self) {
        match self {
            Self::Task(task) => Task::wake(task),
            Self::Waker(waker) => waker.wake(),
        }
    }
}
