//! The exception that leaves a scope whose time is up.
//!
//! `asyncio.timeouts.Timeout.__aexit__` and its `_insert_timeout_error`. What is given here comes
//! from an `async with` statement or from a program that calls `__aexit__` by hand, so a class may
//! be any object and need not be that of the exception.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ExceptionClass, Object, Raised, Result, attached, check_signals, is_exception,
    is_exception_class, raise_object, set_cause, set_context, type_error,
};
use pyo3::prelude::*;

use crate::asyncio::edition::edition;
use crate::asyncio::{globals, is_cancellation};

/// Turns a cancellation into a `TimeoutError`: raises it with `exception` as its cause.
///
/// For other exceptions returns, and leaves a note in their contexts if the running asyncio does.
///
/// To be called only if the scope's time is up and the cancellation is its own.
///
/// # Errors
/// `TimeoutError` for a cancellation, and those of looking into other exceptions.
pub fn convert(class: &Object, exception: &Object) -> Result<()> {
    let edition = &edition().timeout;
    if is_cancelled(class, edition.takes_subclasses)? {
        return Err(raise_from(exception));
    }
    if edition.inserts_error && !exception.is_none() {
        insert_timeout_error(exception)?;
        if is_exception_group(exception)? {
            let py = attached();
            let members = exception.attribute(&globals().names.exceptions)?;
            for member in members.bound(py).try_iter()? {
                insert_timeout_error(&member?.into())?;
            }
        }
    }
    Ok(())
}

/// Whether an exception's class says that it is a cancellation.
///
/// `takes_subclasses` is a rule of the running asyncio: `is`, or `issubclass`.
pub fn is_cancelled(class: &Object, takes_subclasses: bool) -> Result<bool> {
    let cancelled = &globals().asyncio.cancelled_error;
    let is_it = class.is(cancelled.as_ptr());
    if is_it || !takes_subclasses {
        return Ok(is_it);
    }
    class.is_subclass(cancelled)
}

/// `raise TimeoutError from exception`.
///
/// Any failure to make the error is raised in its place.
pub fn raise_from(exception: &Object) -> Raised {
    match timeout_error(exception) {
        Ok(error) => raise_object(&error),
        Err(raised) => raised,
    }
}

/// `TimeoutError()` with a cause, or with None for one.
///
/// A class as the cause is called, as the `raise` statement does.
///
/// # Errors
/// `TypeError` for a cause that is no exception.
pub fn timeout_error(cause: &Object) -> Result<Object> {
    let error = ExceptionClass::TimeoutError.object().call([])?;
    if cause.is_none() {
        // Without a cause its context is not shown either.
        set_cause(&error, None);
        return Ok(error);
    }
    let cause = if is_exception_class(cause) {
        cause.call([])?
    } else {
        cause.clone()
    };
    if !is_exception(&cause) {
        return Err(type_error(
            "exception causes must derive from BaseException",
        ));
    }
    set_cause(&error, Some(cause));
    Ok(error)
}

/// Puts a `TimeoutError` before the first cancellation in the chain of contexts: it tells the
/// handler of the exception why its cause was cancelled.
///
/// Python code passes anything here, by `Timeout.__aexit__`. As in asyncio, anything with a
/// `__context__` will do.
///
/// # Errors
/// Those of the attributes, and `KeyboardInterrupt` out of a circle.
pub fn insert_timeout_error(exception: &Object) -> Result<()> {
    let name = &globals().names.context_of_exception;
    let mut exception = exception.clone();
    loop {
        let context = exception.attribute(name)?;
        if context.is_none() {
            return Ok(());
        }
        if is_exception(&context) && is_cancellation(&context) {
            let error = timeout_error(&context)?;
            set_context(&error, Some(context));
            return exception.set_attribute(name, &error);
        }
        exception = context;
        // A chain may be a circle, which Python code can only end by an interrupt.
        check_signals()?;
    }
}

/// Looked up at each call, which happens only after a timeout.
fn is_exception_group(exception: &Object) -> Result<bool> {
    let py = attached();
    let class = making::import(py, c"builtins")?.look_up(c"ExceptionGroup")?;
    Ok(exception.bound(py).is_instance(&class)?)
}
