//! The trampoline between our functions and C, in which neither an error nor a panic is lost.

use std::any::Any;
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::ffi;

use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;
use super::object::Object;
use super::stack::ensure_room;
use super::thread_exit::guarded;

/// Runs a function's body for C: an error leaves the exception set and gives NULL, and a panic,
/// which is a bug of ours, becomes a `SystemError` instead of an abort. Without room on the stack
/// it does not run at all, and `RecursionError` is raised.
#[inline]
pub fn trap(body: impl FnOnce() -> Result<Object>) -> *mut ffi::PyObject {
    if ensure_room().is_err() {
        return ptr::null_mut();
    }
    match catch_unwind(AssertUnwindSafe(|| checked(|| guarded(body)))) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised)) => ptr::null_mut(),
        Err(panic) => {
            report_panic(panic.as_ref());
            ptr::null_mut()
        }
    }
}

/// As [`trap`], for a body that runs no code but ours, and so cannot come back to itself: whether
/// there is room on the stack is not asked.
#[inline]
pub fn trap_leaf(body: impl FnOnce() -> Result<Object>) -> *mut ffi::PyObject {
    match catch_unwind(AssertUnwindSafe(|| checked(body))) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised)) => ptr::null_mut(),
        Err(panic) => {
            report_panic(&*panic);
            ptr::null_mut()
        }
    }
}

/// As [`trap`], for slots that answer 0 or -1.
#[inline]
pub fn trap_int(body: impl FnOnce() -> Result<()>) -> c_int {
    if ensure_room().is_err() {
        return -1;
    }
    match catch_unwind(AssertUnwindSafe(|| checked(|| guarded(body)))) {
        Ok(Ok(())) => 0,
        Ok(Err(Raised)) => -1,
        Err(panic) => {
            report_panic(panic.as_ref());
            -1
        }
    }
}

/// Runs `body`. Builds with debug assertions check that a successful body leaves no exception set:
/// other code would raise it later.
#[inline]
fn checked<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    if !cfg!(debug_assertions) {
        return body();
    }
    // SAFETY: may be asked at any time while the GIL is held.
    let pending = || unsafe { !ffi::PyErr_Occurred().is_null() };
    let before = pending();
    let outcome = body();
    assert!(
        outcome.is_err() || before || !pending(),
        "an exception is set that nobody returned"
    );
    outcome
}

fn report_panic(panic: &(dyn Any + Send)) {
    let reason = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let text = format!("greenloop panicked, please report it: {reason}\0");
    let text = CStr::from_bytes_until_nul(text.as_bytes()).unwrap_or(c"greenloop panicked");
    let Raised = raise(ExceptionClass::SystemError, text);
}
