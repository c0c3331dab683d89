//! Awaiting Python objects from native code: what `await` does, one step at a time.

use pyo3::ffi;
use pyo3::prelude::*;

use super::{Awaitable, Progress};
use crate::interop::{Object, Result, Resumed, resume, throw, type_error};

/// What an awaitable that is delegated to came to.
pub enum Delegated {
    /// It waits; the operation returns this, and is resumed or interrupted later.
    Waits(Progress),
    /// It returned a value.
    Returned(Object),
}

/// Begins to await `object`, which stands in the awaitable's `value` from then on.
pub fn begin(this: &Object, object: &Object) -> Result<Delegated> {
    let iterator = iterator_of(object)?;
    Awaitable::of(this).value().set(iterator.clone());
    go_on(&iterator, None)
}

/// Goes on with what [`begin`] began, with an exception or without. Raises what it raises.
pub fn continue_with(this: &Object, exception: Option<&Object>) -> Result<Delegated> {
    go_on(&Awaitable::of(this).value().get_or_none(), exception)
}

fn go_on(inner: &Object, exception: Option<&Object>) -> Result<Delegated> {
    let resumed = match exception {
        None => resume(inner),
        Some(exception) => throw(inner, exception),
    };
    match resumed {
        Resumed::Yielded(object) => Ok(Delegated::Waits(Progress::Yielded(object))),
        Resumed::Returned(value) => Ok(Delegated::Returned(value)),
        Resumed::Failed(raised) => Err(raised),
    }
}

/// `object.__await__()`, as `await` asks for it.
fn iterator_of(object: &Object) -> Result<Object> {
    // SAFETY: `object` is valid; a class's slots are those of its type.
    unsafe {
        if ffi::PyCoro_CheckExact(object.as_ptr()) != 0 || Awaitable::is_native(object) {
            return Ok(object.clone());
        }
        let slots = (*object.class()).tp_as_async;
        if let Some(am_await) = slots.as_ref().and_then(|slots| slots.am_await) {
            return Object::from_returned(am_await(object.as_ptr()));
        }
    }
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let class = object.bound(py).get_type();
    Err(type_error(&format!(
        "object {} can't be used in 'await' expression",
        class.name()?
    )))
}
