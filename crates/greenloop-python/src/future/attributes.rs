//! A future's state as Python reads it: asyncio's private attributes, which its own modules, tests
//! and libraries look at.
//!
//! They are asyncio's by name and by value, see `_asyncio.Future` in CPython's
//! `Modules/_asynciomodule.c`. Most raise a `RuntimeError` on a future whose `__init__` has not
//! run, as C's do. The values that asyncio lets programs write can be written here too, and the
//! others are read-only.

use greenloop_cpython::making;
use greenloop_cpython::{
    Attribute, ExceptionClass, Extends, Native, Object, Raised, Result, attribute, raise, readonly,
};

use super::{CANCELLED, Future, PENDING};

/// The attributes that `Future` and `Task` share.
///
/// Each entry works on any struct that begins with a future's, so that `Task` needs no table of its
/// own for them.
pub fn future_attributes<T: Extends<Future>>() -> impl Iterator<Item = Attribute<T>> {
    let attributes = vec![
        readonly(c"_state", attribute_state),
        attribute(
            c"_asyncio_future_blocking",
            attribute_blocking,
            set_blocking,
        ),
        attribute(
            c"_log_traceback",
            attribute_log_traceback,
            set_log_traceback,
        ),
        readonly(c"_loop", attribute_loop),
        readonly(c"_callbacks", attribute_callbacks),
        readonly(c"_result", attribute_result),
        readonly(c"_exception", attribute_exception),
        readonly(c"_source_traceback", attribute_source_traceback),
        attribute(
            c"_cancel_message",
            attribute_cancel_message,
            set_cancel_message,
        ),
        #[cfg(Py_3_14)]
        readonly(c"_asyncio_awaited_by", attribute_awaited_by),
    ];
    attributes.into_iter().map(Attribute::inherited)
}

/// `_state`: `"PENDING"`, `"CANCELLED"` or `"FINISHED"`, interned, so that comparing is comparing
/// pointers.
fn attribute_state(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    let text = match this.get().state.get() {
        PENDING => c"PENDING",
        CANCELLED => c"CANCELLED",
        _ => c"FINISHED",
    };
    making::interned(text)
}

fn attribute_blocking(this: &Native<Future>) -> Result<Object> {
    Ok(Object::boolean(this.get().blocking.get()))
}

/// Sets `_asyncio_future_blocking`, which foreign tasks clear when they receive the future. Cannot
/// be deleted.
fn set_blocking(this: &Native<Future>, value: Option<&Object>) -> Result<()> {
    this.get().ensure_initialised()?;
    let value = value.ok_or_else(cannot_delete)?.is_true()?;
    this.get().blocking.set(value);
    Ok(())
}

fn attribute_log_traceback(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(Object::boolean(this.get().log_traceback.get()))
}

/// Sets `_log_traceback` to false, by which a program says that it has dealt with the exception.
/// Any true value raises a `ValueError`, as in asyncio: only the future itself may ask for the
/// report.
fn set_log_traceback(this: &Native<Future>, value: Option<&Object>) -> Result<()> {
    if value.ok_or_else(cannot_delete)?.is_true()? {
        let class = ExceptionClass::ValueError;
        return Err(raise(class, c"_log_traceback can only be set to False"));
    }
    this.get().log_traceback.set(false);
    Ok(())
}

/// Refuses to delete an attribute that is always there.
pub fn cannot_delete() -> Raised {
    raise(ExceptionClass::AttributeError, c"cannot delete attribute")
}

/// `_loop`: None on a future whose `__init__` has not run, where `get_loop()` raises.
fn attribute_loop(this: &Native<Future>) -> Result<Object> {
    Ok(this.get().event_loop.get_or_none())
}

/// `_callbacks`: a new list of pairs of a function and its context, or None without callbacks. A
/// waiting task and a combinator have no Python function in the list, and get one made here; it
/// compares equal each time.
fn attribute_callbacks(this: &Native<Future>) -> Result<Object> {
    let future = this.get();
    future.ensure_initialised()?;
    if future.callbacks.is_empty() {
        return Ok(Object::none());
    }
    let mut pairs = Vec::new();
    for callback in future.callbacks.to_vec() {
        let (function, context) = callback.as_pair()?;
        pairs.push(making::tuple(vec![function, context])?);
    }
    making::list(pairs)
}

/// `_result`: None unless the future has one. Unlike `result()` it neither raises nor counts as
/// retrieval.
fn attribute_result(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().result.get_or_none())
}

/// `_exception`: the exception, which counts as unseen still.
fn attribute_exception(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().exception.get_or_none())
}

/// `_source_traceback`: where the future was made, in debug mode, as `traceback.extract_stack()`
/// gives it; else None.
fn attribute_source_traceback(this: &Native<Future>) -> Result<Object> {
    Ok(this.get().source_traceback.get_or_none())
}

fn attribute_cancel_message(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().cancel_message.get_or_none())
}

/// Sets `_cancel_message`, which the next `CancelledError` made for the future carries.
fn set_cancel_message(this: &Native<Future>, value: Option<&Object>) -> Result<()> {
    this.get().ensure_initialised()?;
    let value = value.ok_or_else(cannot_delete)?;
    this.get().cancel_message.set(value.clone());
    Ok(())
}

/// `_asyncio_awaited_by`: see `task/graph.rs`, which is handed in because tasks are above futures.
#[cfg(Py_3_14)]
fn attribute_awaited_by(this: &Native<Future>) -> Result<Object> {
    (super::waiting_task::waiting_task()?.awaited_by)(this)
}
