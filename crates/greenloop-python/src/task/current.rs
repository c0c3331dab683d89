//! `asyncio.current_task()`, and the entering of a task as asyncio does it.
//!
//! The frequent side, a step of a native task, is in `scheduler/current.rs`. Here is what happens
//! at the edges: a program's question, and steps that another loop or a foreign future brings
//! about.

use greenloop_cpython::{Native, Object, Result, clear, fetch, restore};

use super::Task;
use crate::asyncio::globals;
use crate::future::future_of;
use crate::scheduler::{is_recorded, stepping};

/// `asyncio.current_task(event_loop)`.
///
/// If one of asyncio's own tasks began eagerly inside a native step, it is the current one, so the
/// step alone does not tell.
///
/// None outside of tasks. Without a loop the running one is meant, and asyncio raises a
/// `RuntimeError` where none runs.
#[inline]
pub fn current_task(event_loop: Option<&Object>) -> Result<Option<Object>> {
    if let Some(task) = stepping() {
        let own = future_of(&task).get().event_loop();
        if event_loop.is_none_or(|event_loop| event_loop.is(own.as_ptr()))
            && is_recorded(own, &task)?
        {
            return Ok(Some(task.into_object()));
        }
    }
    // By name: asyncio's tasks in Python have their own function.
    let asyncio = &globals().asyncio;
    let name = &globals().names.current_task;
    let task = match event_loop {
        None => asyncio.tasks.invoke(name, [])?,
        Some(event_loop) => asyncio.tasks.invoke(name, [event_loop])?,
    };
    Ok(Some(task).filter(|task| !task.is_none()))
}

/// Runs `body` with `task` entered, as asyncio's own functions do it: for steps that are not called
/// by our loop's turn.
///
/// `_enter_task` raises a `RuntimeError` if another task is current on the loop. The task is left
/// again whatever `body` returns; its error goes before one of leaving.
pub fn entered(task: &Native<Task>, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let asyncio = &globals().asyncio;
    let event_loop = task.get().future.event_loop().get_or_none();
    asyncio.enter_task.call([&event_loop, task])?;
    let outcome = body().map_err(fetch);
    let left = asyncio.leave_task.call([&event_loop, task]);
    match outcome {
        Ok(()) => left.map(drop),
        Err(exception) => {
            if let Err(raised) = left {
                clear(raised);
            }
            Err(restore(exception))
        }
    }
}
