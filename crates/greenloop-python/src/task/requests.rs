//! Requests for cancellation, from native code to a task of any class.

use greenloop_cpython::{Object, Result};

use super::CLASS;
use super::cancellation::cancel_task;
use crate::asyncio::globals;
use crate::future::{Future, PENDING};

/// `task.cancel()`.
pub fn cancel(task: &Object) -> Result<()> {
    if let Some(task) = CLASS.exactly(task) {
        return cancel_task(task, None).map(drop);
    }
    task.invoke(&globals().names.cancel, []).map(drop)
}

/// `task.cancelling()`.
#[inline]
pub fn cancelling(task: &Object) -> Result<i64> {
    if let Some(task) = CLASS.exactly(task) {
        return Ok(task.get().cancel_requests.get().into());
    }
    task.invoke(&globals().names.cancelling, [])?.to_int()
}

/// `task.uncancel()`.
pub fn uncancel(task: &Object) -> Result<i64> {
    if let Some(task) = CLASS.exactly(task) {
        return Ok(task.get().uncancel().into());
    }
    task.invoke(&globals().names.uncancel, [])?.to_int()
}

/// `future.done()`, of a task or any other future.
#[inline]
pub fn is_done(future: &Object) -> Result<bool> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().state() != PENDING);
    }
    future.invoke(&globals().names.done, [])?.is_true()
}
