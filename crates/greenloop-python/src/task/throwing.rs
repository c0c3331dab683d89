//! Throwing an exception into a task that waits, in the place of what it waits for.

use greenloop_cpython::{Native, Object, Result};

use super::Task;
use super::step::schedule;
use crate::awaitable::Awaitable;
use crate::future::{Callback, Future};

/// Ends the wait of a task: its `await` raises the exception in the next turn. Called in the thread
/// of the task's loop.
///
/// Returns false, and changes nothing, if the task does not wait any more, or for an object of
/// another class.
pub fn throw_into(task: &Native<Task>, exception: &Object) -> Result<bool> {
    let Some(waiter) = task.get().waiter.get() else {
        return Ok(false);
    };
    let ended = match (Awaitable::native(&waiter), Future::native(&waiter)) {
        (Some(awaitable), _) => Awaitable::give_task_up(awaitable),
        (None, Some(future)) => {
            let wakes = |callback: &Callback| match callback {
                Callback::Wake(waiter) => waiter.is(task.as_ptr()),
                _ => false,
            };
            let callbacks = future.get().callbacks();
            !callbacks.retain(|callback| !wakes(callback)).is_empty()
        }
        (None, None) => false,
    };
    if ended {
        schedule(task, Some(exception.clone()))?;
    }
    Ok(ended)
}
