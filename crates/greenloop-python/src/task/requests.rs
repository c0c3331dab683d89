//! Requests for cancellation, from native code to a task of any class.

use greenloop_cpython::{Object, Raised, Result, call_method, is_raised};
use pyo3::ffi;

use super::Task;
use super::cancellation::cancel_task;
use crate::asyncio::globals;
use crate::future::{Future, PENDING};

/// `task.cancel()`.
pub fn cancel(task: &Object) -> Result<()> {
    if is_native(task) {
        return cancel_task(task, None).map(drop);
    }
    call_method(&globals().names.cancel, &[task.as_ptr()]).map(drop)
}

/// `task.cancelling()`.
#[inline]
pub fn cancelling(task: &Object) -> Result<i64> {
    if is_native(task) {
        return Ok(Task::of(task).cancel_requests.get().into());
    }
    number(&call_method(&globals().names.cancelling, &[task.as_ptr()])?)
}

/// `task.uncancel()`.
pub fn uncancel(task: &Object) -> Result<i64> {
    if is_native(task) {
        return Ok(Task::of(task).uncancel().into());
    }
    number(&call_method(&globals().names.uncancel, &[task.as_ptr()])?)
}

/// `future.done()`, of a task or any other future.
#[inline]
pub fn is_done(future: &Object) -> Result<bool> {
    if Future::is_native(future) {
        return Ok(Future::of(future).state() != PENDING);
    }
    call_method(&globals().names.done, &[future.as_ptr()])?.is_true()
}

/// A subclass may have overridden anything.
#[inline]
fn is_native(task: &Object) -> bool {
    task.is_exactly(globals().classes.task.as_ptr())
}

fn number(count: &Object) -> Result<i64> {
    // SAFETY: `count` is a valid object.
    let number = unsafe { ffi::PyLong_AsLongLong(count.as_ptr()) };
    if number == -1 && is_raised() {
        return Err(Raised);
    }
    Ok(number)
}
