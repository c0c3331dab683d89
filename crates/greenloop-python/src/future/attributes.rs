//! A future's state as Python reads it: asyncio's private attributes, which its own modules, tests
//! and libraries look at.

use greenloop_cpython::making;
use greenloop_cpython::{
    Attribute, ExceptionClass, Extends, Native, Object, Raised, Result, attribute, raise, readonly,
};

use super::{CANCELLED, Future, PENDING};

/// The attributes that `Future` and `Task` share.
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

fn attribute_loop(this: &Native<Future>) -> Result<Object> {
    Ok(this.get().event_loop.get_or_none())
}

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

fn attribute_result(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().result.get_or_none())
}

fn attribute_exception(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().exception.get_or_none())
}

fn attribute_source_traceback(this: &Native<Future>) -> Result<Object> {
    Ok(this.get().source_traceback.get_or_none())
}

fn attribute_cancel_message(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().cancel_message.get_or_none())
}

fn set_cancel_message(this: &Native<Future>, value: Option<&Object>) -> Result<()> {
    this.get().ensure_initialised()?;
    let value = value.ok_or_else(cannot_delete)?;
    this.get().cancel_message.set(value.clone());
    Ok(())
}

#[cfg(Py_3_14)]
fn attribute_awaited_by(this: &Native<Future>) -> Result<Object> {
    (super::waiting_task::waiting_task()?.awaited_by)(this)
}
