//! The errors of putting and getting.

use std::error::Error;
use std::fmt;

/// The queue was shut down: it takes no more items, and has none left. The item that was to be put
/// in comes back in the error.
///
/// ```
/// use greenloop::queue::{Queue, ShutDown};
///
/// let queue = Queue::unbounded();
/// queue.shutdown();
/// assert_eq!(greenloop::run(queue.put("too late")), Err(ShutDown("too late")));
/// assert_eq!(greenloop::run(queue.get()), Err(ShutDown(())));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShutDown<T = ()>(pub T);

/// Why nothing was put in. The item comes back in it.
///
/// ```
/// use greenloop::queue::{PutError, Queue};
///
/// let queue = Queue::bounded(1);
/// queue.put_nowait('a').unwrap();
/// assert_eq!(queue.put_nowait('b'), Err(PutError::Full('b')));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// There is no room.
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

/// Why nothing was taken.
///
/// ```
/// use greenloop::queue::{GetError, Queue};
///
/// assert_eq!(Queue::<u32>::unbounded().get_nowait(), Err(GetError::Empty));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GetError {
    /// There is nothing.
    Empty,
    /// There is nothing, and the queue was shut down.
    ShutDown,
}

/// More items were reported as done than were put in.
///
/// ```
/// use greenloop::queue::{Queue, TaskDoneError};
///
/// assert_eq!(Queue::<u32>::unbounded().task_done(), Err(TaskDoneError));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskDoneError;

impl<T> PutError<T> {
    /// The item that was to be put in.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// queue.shutdown();
    /// assert_eq!(queue.put_nowait('a').unwrap_err().into_inner(), 'a');
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::ShutDown(item) => item,
        }
    }

    const fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => "the queue is full",
            Self::ShutDown(_) => SHUT_DOWN,
        }
    }
}

const SHUT_DOWN: &str = "the queue was shut down";

// Items need not be `Debug` for an error to be: `expect` must work on a `put` of anything.

impl<T> fmt::Debug for ShutDown<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ShutDown(..)")
    }
}

impl<T> fmt::Display for ShutDown<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SHUT_DOWN)
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::ShutDown(_) => "ShutDown(..)",
        })
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "the queue is empty",
            Self::ShutDown => SHUT_DOWN,
        })
    }
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("more items were reported as done than were put in")
    }
}

impl<T> Error for ShutDown<T> {}
impl<T> Error for PutError<T> {}
impl Error for GetError {}
impl Error for TaskDoneError {}
