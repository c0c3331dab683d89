//! The calls that asyncio makes on a future of any class.
//!
//! Each function is one expression of asyncio's, such as `future.cancelled()`. One of our futures
//! answers directly; on any other the method is called by name, as it may be asyncio's own, a
//! subclass's or missing.
//!
//! "One of our futures" is an object of exactly a class of ours. A subclass in Python is asked by
//! name as well: it may override any of these methods. Such a call runs code of the program, so
//! that a caller has to expect that the future, or anything else, has changed when it returns.

use greenloop_cpython::{Object, Result};

use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::future::{CANCELLED, Future, PENDING, retrieve_exception, set_exception_of};
use crate::task;

/// `asyncio.isfuture(object)`.
///
/// A plain coroutine, the usual argument, is answered by one comparison. An awaitable of ours is a
/// future while it waits, as far as other code can see.
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
///
/// Of a future whose `__init__` has not run this is None.
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
///
/// Raises `CancelledError` if the future was cancelled, and `InvalidStateError` while it is
/// pending.
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
///
/// Raises the future's exception; `CancelledError` or `InvalidStateError` as above.
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
///
/// Raises `InvalidStateError` if the future is done. Its callbacks run in the next turn.
pub fn set_result(future: &Object, result: Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        return Future::finish(future, result);
    }
    future
        .invoke(&globals().names.set_result, [&result])
        .map(drop)
}

/// `future.set_exception(exception)`.
///
/// As [`set_result`]. A class is called to make an instance; a `TypeError` for anything that is no
/// exception.
pub fn set_exception(future: &Object, exception: &Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        return set_exception_of(future, exception);
    }
    future
        .invoke(&globals().names.set_exception, [exception])
        .map(drop)
}

/// `future.cancel()`.
///
/// Whether the call had an effect. A task is asked to cancel what it waits for, along the whole
/// path.
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
