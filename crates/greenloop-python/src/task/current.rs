//! `asyncio.current_task()`, and the entering of a task as asyncio does it.

use greenloop_cpython::{Object, Raised, Result, call_function, call_method, clear};

use crate::asyncio::globals;
use crate::future::Future;
use crate::scheduler::{is_recorded, stepping};

/// `asyncio.current_task(event_loop)`.
///
/// If one of asyncio's own tasks began eagerly inside a native step, it is the current one, so the
/// step alone does not tell.
#[inline]
pub fn current_task(event_loop: Option<&Object>) -> Result<Option<Object>> {
    if let Some(task) = stepping() {
        let own = Future::of(&task).event_loop();
        if event_loop.is_none_or(|event_loop| event_loop.is(own.as_ptr()))
            && is_recorded(own, &task)?
        {
            return Ok(Some(task));
        }
    }
    // By name: asyncio's tasks in Python have their own function.
    let asyncio = &globals().asyncio;
    let mut arguments = vec![asyncio.tasks.as_ptr()];
    arguments.extend(event_loop.map(Object::as_ptr));
    let task = call_method(&globals().names.current_task, &arguments)?;
    Ok(Some(task).filter(|task| !task.is_none()))
}

/// Runs `body` with `task` entered, as asyncio's own functions do it: for steps that are not called
/// by our loop's turn.
pub fn entered(task: &Object, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let asyncio = &globals().asyncio;
    let event_loop = Future::of(task).event_loop().get_or_none();
    let arguments = [event_loop.as_ptr(), task.as_ptr()];
    call_function(&asyncio.enter_task, &arguments)?;
    let outcome = body().map_err(greenloop_cpython::fetch);
    let left = call_function(&asyncio.leave_task, &arguments);
    match outcome {
        Ok(()) => left.map(drop),
        Err(exception) => {
            if left.is_err() {
                clear(Raised);
            }
            Err(greenloop_cpython::restore(exception))
        }
    }
}
