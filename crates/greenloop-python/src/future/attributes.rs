//! A future's state as Python reads it: asyncio's private attributes, which its own modules, tests
//! and libraries look at.

use std::ffi::CStr;

use greenloop_cpython::making;
use greenloop_cpython::{ExceptionClass, Getter, Object, Raised, Result, Setter, attribute, raise};

use super::{CANCELLED, Future, PENDING};

/// The attributes that `Future` and `Task` share.
pub fn future_attributes() -> Vec<(&'static CStr, Getter, Option<Setter>)> {
    vec![
        attribute!(c"_state", attribute_state),
        attribute!(
            c"_asyncio_future_blocking",
            attribute_blocking,
            set_blocking
        ),
        attribute!(
            c"_log_traceback",
            attribute_log_traceback,
            set_log_traceback
        ),
        attribute!(c"_loop", attribute_loop),
        attribute!(c"_callbacks", attribute_callbacks),
        attribute!(c"_result", attribute_result),
        attribute!(c"_exception", attribute_exception),
        attribute!(c"_source_traceback", attribute_source_traceback),
        attribute!(
            c"_cancel_message",
            attribute_cancel_message,
            set_cancel_message
        ),
        #[cfg(Py_3_14)]
        attribute!(c"_asyncio_awaited_by", attribute_awaited_by),
    ]
}

fn attribute_state(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    let text = match Future::of(this).state.get() {
        PENDING => c"PENDING",
        CANCELLED => c"CANCELLED",
        _ => c"FINISHED",
    };
    making::interned(text)
}

fn attribute_blocking(this: &Object) -> Result<Object> {
    Ok(Object::boolean(Future::of(this).blocking.get()))
}

fn set_blocking(this: &Object, value: Option<&Object>) -> Result<()> {
    Future::of(this).ensure_initialised()?;
    let value = value.ok_or_else(cannot_delete)?.is_true()?;
    Future::of(this).blocking.set(value);
    Ok(())
}

fn attribute_log_traceback(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    Ok(Object::boolean(Future::of(this).log_traceback.get()))
}

fn set_log_traceback(this: &Object, value: Option<&Object>) -> Result<()> {
    if value.ok_or_else(cannot_delete)?.is_true()? {
        let class = ExceptionClass::ValueError;
        return Err(raise(class, c"_log_traceback can only be set to False"));
    }
    Future::of(this).log_traceback.set(false);
    Ok(())
}

/// Refuses to delete an attribute that is always there.
pub fn cannot_delete() -> Raised {
    raise(ExceptionClass::AttributeError, c"cannot delete attribute")
}

fn attribute_loop(this: &Object) -> Result<Object> {
    Ok(Future::of(this).event_loop.get_or_none())
}

fn attribute_callbacks(this: &Object) -> Result<Object> {
    let future = Future::of(this);
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

fn attribute_result(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    Ok(Future::of(this).result.get_or_none())
}

fn attribute_exception(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    Ok(Future::of(this).exception.get_or_none())
}

fn attribute_source_traceback(this: &Object) -> Result<Object> {
    Ok(Future::of(this).source_traceback.get_or_none())
}

fn attribute_cancel_message(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    Ok(Future::of(this).cancel_message.get_or_none())
}

fn set_cancel_message(this: &Object, value: Option<&Object>) -> Result<()> {
    Future::of(this).ensure_initialised()?;
    let value = value.ok_or_else(cannot_delete)?;
    Future::of(this).cancel_message.set(value.clone());
    Ok(())
}

#[cfg(Py_3_14)]
fn attribute_awaited_by(this: &Object) -> Result<Object> {
    (super::waiting_task::waiting_task()?.awaited_by)(this)
}
