//! The calls that asyncio makes on a future of any class.
//!
//! Each function is one expression of asyncio's, such as `future.cancelled()`. One of our futures
//! answers directly; on any other the method is called by name, as it may be asyncio's own, a
//! subclass's or missing.

use greenloop_cpython::{Object, Result};

use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::future::{CANCELLED, Future, PENDING, retrieve_exception, set_exception_of};
use crate::task;

/// `asyncio.isfuture(object)`.
#[inline]
pub fn is_future(object: &Object) -> Result<bool> {
    if object.is_plain_coroutine() {
        return Ok(false);
    }
    if Future::is_native(object) {
        return Ok(true);
    }
    if let Some(awaitable) = Awaitable::native(object) {
        return Ok(awaitable.get().poses_as_future());
    }
    globals().asyncio.isfuture.call([object])?.is_true()
}

/// `futures._get_loop(future)`: older classes have no method for it.
pub fn loop_of(future: &Object) -> Result<Object> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().event_loop().get_or_none());
    }
    let names = &globals().names;
    match future.optional_attribute(&names.get_loop)? {
        Some(get_loop) => get_loop.call([]),
        None => future.attribute(&names.loop_attribute),
    }
}

/// `future.done()`.
#[inline]
pub fn is_done(future: &Object) -> Result<bool> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().state() != PENDING);
    }
    future.invoke(&globals().names.done, [])?.is_true()
}

/// `future.cancelled()`.
#[inline]
pub fn is_cancelled(future: &Object) -> Result<bool> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().state() == CANCELLED);
    }
    future.invoke(&globals().names.cancelled, [])?.is_true()
}

/// `future.exception()`: `None` if there is a result. The exception counts as seen from then on.
#[inline]
pub fn exception_of(future: &Object) -> Result<Option<Object>> {
    let exception = if let Some(future) = Future::native(future) {
        retrieve_exception(future)?
    } else {
        future.invoke(&globals().names.exception, [])?
    };
    Ok(Some(exception).filter(|exception| !exception.is_none()))
}

/// `future.result()`.
#[inline]
pub fn result_of(future: &Object) -> Result<Object> {
    if let Some(future) = Future::native(future) {
        return future.get().outcome();
    }
    future.invoke(&globals().names.result, [])
}

/// `future._make_cancelled_error()`.
pub fn cancelled_error_of(future: &Object) -> Result<Object> {
    if let Some(future) = Future::native(future) {
        return future.get().make_cancelled_error();
    }
    future.invoke(&globals().names.make_cancelled_error, [])
}

/// `future._cancel_message`.
pub fn cancel_message_of(future: &Object) -> Result<Object> {
    if let Some(future) = Future::native(future) {
        return Ok(future.get().cancel_message().get_or_none());
    }
    future.attribute(&globals().names.cancel_message)
}

/// `future.set_result(result)`.
pub fn set_result(future: &Object, result: Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        return Future::finish(future, result);
    }
    future
        .invoke(&globals().names.set_result, [&result])
        .map(drop)
}

/// `future.set_exception(exception)`.
pub fn set_exception(future: &Object, exception: &Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        return set_exception_of(future, exception);
    }
    future
        .invoke(&globals().names.set_exception, [exception])
        .map(drop)
}

/// `future.cancel()`.
pub fn cancel(future: &Object) -> Result<bool> {
    if let Some(future) = Future::native(future) {
        return task::cancel_waiter(future, None);
    }
    future.invoke(&globals().names.cancel, [])?.is_true()
}

/// The result of one of our futures that is done and has neither raised nor been cancelled.
#[inline]
pub fn plain_result(future: &Object) -> Option<Object> {
    let future = Future::native(future)?.get();
    future.has_plain_result().then(|| future.result_or_none())
}

/// Whether [`plain_result`] has an answer.
#[inline]
pub fn has_plain_result(future: &Object) -> bool {
    Future::native(future).is_some_and(|future| future.get().has_plain_result())
}
