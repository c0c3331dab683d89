//! The calls that asyncio makes on a future of any class.
//!
//! Each function is one expression of asyncio's, such as `future.cancelled()`. One of our futures
//! answers directly; on any other the method is called by name, as it may be asyncio's own, a
//! subclass's or missing.

use greenloop_cpython::{Object, Result, call_function, call_method};
use pyo3::ffi;

use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::future::{CANCELLED, Future, PENDING, retrieve_exception, set_exception_of};
use crate::task;

/// `asyncio.isfuture(object)`.
#[inline]
pub fn is_future(object: &Object) -> Result<bool> {
    // SAFETY: `object` is valid.
    if unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) } != 0 {
        return Ok(false);
    }
    if Future::is_native(object) {
        return Ok(true);
    }
    if Awaitable::is_native(object) {
        return Ok(Awaitable::poses_as_future(object));
    }
    call_function(&globals().asyncio.isfuture, &[object.as_ptr()])?.is_true()
}

/// `futures._get_loop(future)`: older classes have no method for it.
pub fn loop_of(future: &Object) -> Result<Object> {
    if Future::is_native(future) {
        return Ok(Future::of(future).event_loop().get_or_none());
    }
    let names = &globals().names;
    match future.optional_attribute(&names.get_loop)? {
        Some(get_loop) => call_function(&get_loop, &[]),
        None => future.attribute(&names.loop_attribute),
    }
}

/// `future.done()`.
#[inline]
pub fn is_done(future: &Object) -> Result<bool> {
    if Future::is_native(future) {
        return Ok(Future::of(future).state() != PENDING);
    }
    call_method(&globals().names.done, &[future.as_ptr()])?.is_true()
}

/// `future.cancelled()`.
#[inline]
pub fn is_cancelled(future: &Object) -> Result<bool> {
    if Future::is_native(future) {
        return Ok(Future::of(future).state() == CANCELLED);
    }
    call_method(&globals().names.cancelled, &[future.as_ptr()])?.is_true()
}

/// `future.exception()`: `None` if there is a result. The exception counts as seen from then on.
#[inline]
pub fn exception_of(future: &Object) -> Result<Option<Object>> {
    let exception = if Future::is_native(future) {
        retrieve_exception(future)?
    } else {
        call_method(&globals().names.exception, &[future.as_ptr()])?
    };
    Ok(Some(exception).filter(|exception| !exception.is_none()))
}

/// `future.result()`.
#[inline]
pub fn result_of(future: &Object) -> Result<Object> {
    if Future::is_native(future) {
        return Future::of(future).outcome();
    }
    call_method(&globals().names.result, &[future.as_ptr()])
}

/// `future._make_cancelled_error()`.
pub fn cancelled_error_of(future: &Object) -> Result<Object> {
    if Future::is_native(future) {
        return Future::of(future).make_cancelled_error();
    }
    call_method(&globals().names.make_cancelled_error, &[future.as_ptr()])
}

/// `future._cancel_message`.
pub fn cancel_message_of(future: &Object) -> Result<Object> {
    if Future::is_native(future) {
        return Ok(Future::of(future).cancel_message().get_or_none());
    }
    future.attribute(&globals().names.cancel_message)
}

/// `future.set_result(result)`.
pub fn set_result(future: &Object, result: Object) -> Result<()> {
    if Future::is_native(future) {
        return Future::finish(future, result);
    }
    let arguments = [future.as_ptr(), result.as_ptr()];
    call_method(&globals().names.set_result, &arguments).map(drop)
}

/// `future.set_exception(exception)`.
pub fn set_exception(future: &Object, exception: &Object) -> Result<()> {
    if Future::is_native(future) {
        return set_exception_of(future, exception);
    }
    let arguments = [future.as_ptr(), exception.as_ptr()];
    call_method(&globals().names.set_exception, &arguments).map(drop)
}

/// `future.cancel()`.
pub fn cancel(future: &Object) -> Result<bool> {
    if Future::is_native(future) {
        return task::cancel_waiter(future, None);
    }
    call_method(&globals().names.cancel, &[future.as_ptr()])?.is_true()
}

/// The result of one of our futures that is done and has neither raised nor been cancelled.
#[inline]
pub fn plain_result(future: &Object) -> Option<Object> {
    has_plain_result(future).then(|| Future::of(future).result_or_none())
}

/// Whether [`plain_result`] has an answer.
#[inline]
pub fn has_plain_result(future: &Object) -> bool {
    Future::is_native(future) && Future::of(future).has_plain_result()
}
