//! The exceptions and the traceback that an exception refers to: its context, its cause, and where
//! it was raised.
//!
//! The functions leave an object alone that is no exception: it refers to nothing.

use std::ptr;

use pyo3::ffi;

use super::error::{Raised, Result, is_exception};
use super::object::Object;

/// `exception.__context__`
pub fn context_of_exception(exception: &Object) -> Option<Object> {
    if !is_exception(exception) {
        return None;
    }
    // SAFETY: an exception instance; the result is a new reference or null.
    unsafe {
        let context = ffi::PyException_GetContext(exception.as_ptr());
        (!context.is_null()).then(|| Object::from_owned(context))
    }
}

/// `exception.__context__ = context`
pub fn set_context(exception: &Object, context: Option<Object>) {
    if is_exception(exception) {
        let context = context.filter(is_exception);
        let context = context.map_or(ptr::null_mut(), Object::into_ptr);
        // SAFETY: an exception instance; the reference to the other is given away.
        unsafe { ffi::PyException_SetContext(exception.as_ptr(), context) };
    }
}

/// `exception.__cause__ = cause`, which also sets `__suppress_context__`: `raise exception from
/// cause`.
pub fn set_cause(exception: &Object, cause: Option<Object>) {
    if is_exception(exception) {
        let cause = cause.filter(is_exception);
        let cause = cause.map_or(ptr::null_mut(), Object::into_ptr);
        // SAFETY: an exception instance; the reference to the other is given away.
        unsafe { ffi::PyException_SetCause(exception.as_ptr(), cause) };
    }
}

/// `exception.__traceback__`
pub fn traceback_of(exception: &Object) -> Option<Object> {
    if !is_exception(exception) {
        return None;
    }
    // SAFETY: an exception instance; the result is a new reference or null.
    unsafe {
        let traceback = ffi::PyException_GetTraceback(exception.as_ptr());
        (!traceback.is_null()).then(|| Object::from_owned(traceback))
    }
}

/// `exception.__traceback__ = traceback`, which is a traceback or None.
pub fn set_traceback(exception: &Object, traceback: &Object) -> Result<()> {
    if !is_exception(exception) {
        return Ok(());
    }
    // SAFETY: an exception instance; an object that is no traceback is refused.
    let code = unsafe { ffi::PyException_SetTraceback(exception.as_ptr(), traceback.as_ptr()) };
    if code == 0 { Ok(()) } else { Err(Raised) }
}
