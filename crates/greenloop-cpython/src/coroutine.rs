//! Driving a coroutine: one `send` or `throw`, and its outcome.

use std::ptr;

use pyo3::ffi;

use super::error::{Raised, ensure_raised, fetch, matches};
use super::exceptions::ExceptionClass;
use super::names::names;
use super::object::Object;
use super::thread_exit::iter_send;

/// The reaction of a coroutine to a `send` or a `throw`.
pub enum Resumed {
    /// It awaits something and yielded this.
    Yielded(Object),
    /// It returned this.
    Returned(Object),
    /// It raised; the exception is set.
    Failed(Raised),
}

/// `coroutine.send(None)`.
#[inline]
pub fn resume(coroutine: &Object) -> Resumed {
    let mut result = ptr::null_mut();
    // SAFETY: both objects are valid. `PyIter_Send` fills `result` unless it fails.
    unsafe {
        match iter_send(coroutine.as_ptr(), ffi::Py_None(), &raw mut result) {
            1 => Resumed::Yielded(Object::from_owned(result)),
            0 => Resumed::Returned(Object::from_owned(result)),
            _ => Resumed::Failed(ensure_raised()),
        }
    }
}

/// `coroutine.throw(exception)`.
pub fn throw(coroutine: &Object, exception: &Object) -> Resumed {
    let names = names();
    match coroutine.invoke(&names.throw, [exception]) {
        Ok(yielded) => Resumed::Yielded(yielded),
        Err(Raised) if matches(ExceptionClass::StopIteration) => {
            match fetch(Raised).attribute(&names.value) {
                Ok(value) => Resumed::Returned(value),
                Err(raised) => Resumed::Failed(raised),
            }
        }
        Err(raised) => Resumed::Failed(raised),
    }
}
