//! The objects that a task refuses to wait for, with asyncio's error messages.
//!
//! A refusal does not fail the step: the coroutine gets the error at its `await`, where it can be
//! caught, one turn later. The task waits for nothing meanwhile.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Native, Object, Raised, Result, attached};

use super::Task;
use super::step::schedule;
use crate::asyncio::globals;

/// Has a `RuntimeError` thrown into the coroutine, in the next turn.
///
/// By a job of its own, `Job::Throw`.
fn refuse(this: &Native<Task>, text: &str) -> Result<()> {
    let py = attached();
    // Made by its class and not raised, so that it gets no context from an exception being handled.
    let class = py.get_type::<pyo3::exceptions::PyRuntimeError>();
    let error: Object = class.invoke((text,))?.into();
    schedule(this, Some(error))
}

/// The task awaits itself.
pub fn refuse_itself(this: &Native<Task>) -> Result<()> {
    refuse(
        this,
        &format!("Task cannot await on itself: {}", repr(this)?),
    )
}

/// The task awaits something of another loop.
///
/// Compared by identity: two loops are never the same for being equal.
pub fn refuse_loop(this: &Native<Task>, awaited: &Object) -> Result<()> {
    let (task, future) = (repr(this)?, repr(awaited)?);
    refuse(
        this,
        &format!("Task {task} got Future {future} attached to a different loop"),
    )
}

/// The task was given a future without `await`.
///
/// The future's `_asyncio_future_blocking` tells: only `await` sets it.
pub fn refuse_yield(this: &Native<Task>, awaited: &Object) -> Result<()> {
    let (task, future) = (repr(this)?, repr(awaited)?);
    refuse(
        this,
        &format!("yield was used instead of yield from in task {task} with {future}"),
    )
}

/// The task was given something that cannot be awaited.
///
/// A generator has a message of its own, since `yield` in place of `yield from` is the usual
/// mistake.
pub fn refuse_object(this: &Native<Task>, awaited: &Object) -> Result<()> {
    let is_generator = awaited.is_generator();
    let object = repr(awaited)?;
    if is_generator {
        let task = repr(this)?;
        let text = format!(
            "yield was used instead of yield from for generator in task {task} with {object}"
        );
        return refuse(this, &text);
    }
    refuse(this, &format!("Task got bad yield: {object}"))
}

fn repr(object: &Object) -> Result<String> {
    making::represented(object)
}

/// A step of a task that is done: it is driven by hand.
///
/// Raises `InvalidStateError`, as `_asyncio.Task` does.
pub fn already_done(this: &Native<Task>, exception: Option<&Object>) -> Raised {
    let none = Object::none();
    let raise = || -> Result<Raised> {
        let (task, exception) = (repr(this)?, repr(exception.unwrap_or(&none))?);
        let class = &globals().asyncio.invalid_state_error;
        let text = format!("__step(): already done: {task} {exception}");
        making::raise_with(class, (text,))
    };
    raise().unwrap_or_else(|raised| raised)
}
