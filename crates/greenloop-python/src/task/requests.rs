//! Requests for cancellation, from native code to a task of any class.

use pyo3::ffi;

use super::Task;
use super::cancellation::cancel_task;
use crate::future::{Future, PENDING};
use crate::interop::{Object, Raised, Result, call_method, globals};

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
    // SAFETY: may be asked at any time while the GIL is held.
    if number == -1 && !unsafe { ffi::PyErr_Occurred() }.is_null() {
        return Err(Raised);
    }
    Ok(number)
}
