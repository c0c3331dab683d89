//! Requests for cancellation, from native code to a task of any class.
//!
//! Scopes count and take back requests, by the rules of `asyncio.Task.uncancel`: a scope that has
//! cancelled its task swallows the `CancelledError` only if no request but its own is left.

use greenloop_cpython::{Object, Result};

use super::CLASS;
use super::cancellation::cancel_task;
use crate::asyncio::globals;
use crate::future::{Future, PENDING};

/// `task.cancel()`.
///
/// A task of another class is asked by its method, which may be code of the program. So it is in
/// all of these.
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
///
/// Returns how many are left. From 3.13 on, taking the last one back also recalls a
/// `CancelledError` that the next step was going to throw.
pub fn uncancel(task: &Object) -> Result<i64> {
    if let Some(task) = CLASS.exactly(task) {
        return Ok(task.get().uncancel().into());
    }
    task.invoke(&globals().names.uncancel, [])?.to_int()
}

/// `future.done()`, of a task or any other future.
///
/// Here and not only in `any_future`, because that room is above this one.
#[inline]
pub fn is_done(future: &Object) -> Result<bool> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().state() != PENDING);
    }
    future.invoke(&globals().names.done, [])?.is_true()
}
