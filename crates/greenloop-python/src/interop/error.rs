//! Python exceptions on the hot path: the interpreter's own error indicator, and a token for "it is set".

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::object::Object;

/// The interpreter's error indicator is set. Whoever gets this returns it or takes the exception
/// with [`fetch`]; it carries nothing because the exception is already where the interpreter looks.
#[derive(Debug)]
#[must_use = "an exception is set and has to be returned, reported or fetched"]
pub struct Raised;

/// The result of something that may raise.
pub type Result<T> = std::result::Result<T, Raised>;

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        // SAFETY: the GIL is held in this crate's functions.
        error.restore(unsafe { Python::assume_attached() });
        // PyO3's references are given away before anything else is done with the exception: a `Py`
        // that is dropped in a slot is let go of only when somebody comes through PyO3.
        let exception = fetch(Raised);
        if was_raised(&exception) {
            return restore(exception);
        }
        // It was made by native code and is raised here, so what is being handled is its context.
        raise_object(&exception)
    }
}

/// Whether an exception has been raised before, as its context or its traceback tells.
fn was_raised(exception: &Object) -> bool {
    // SAFETY: it is an exception; the references are ours, or null.
    unsafe {
        let context = ffi::PyException_GetContext(exception.as_ptr());
        let traceback = ffi::PyException_GetTraceback(exception.as_ptr());
        let raised = !context.is_null() || !traceback.is_null();
        ffi::Py_XDECREF(context);
        ffi::Py_XDECREF(traceback);
        raised
    }
}

impl From<Raised> for PyErr {
    fn from(_: Raised) -> Self {
        // SAFETY: the GIL is held in this crate's functions.
        PyErr::fetch(unsafe { Python::assume_attached() })
    }
}

/// Sets an exception of the given class with a plain text.
pub fn raise(class: *mut ffi::PyObject, text: &CStr) -> Raised {
    // SAFETY: `class` is an exception class and `text` ends with a NUL.
    unsafe { ffi::PyErr_SetString(class, text.as_ptr()) };
    Raised
}

/// Sets an exception instance.
pub fn raise_object(exception: &Object) -> Raised {
    // SAFETY: `exception` is a valid exception instance.
    unsafe { ffi::PyErr_SetObject(ffi::Py_TYPE(exception.as_ptr()).cast(), exception.as_ptr()) };
    Raised
}

/// Takes the exception that is set, with its traceback attached.
#[cfg(Py_3_12)]
pub fn fetch(_: Raised) -> Object {
    // SAFETY: `Raised` says that an exception is set, so the result is a new reference.
    unsafe { Object::from_owned(ffi::PyErr_GetRaisedException()) }
}

/// Takes the exception that is set, with its traceback attached.
#[cfg(not(Py_3_12))]
pub fn fetch(_: Raised) -> Object {
    let (mut class, mut value, mut traceback) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    // SAFETY: an exception is set; after normalising, `value` is an instance that we own.
    unsafe {
        ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
        ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback);
        if !traceback.is_null() {
            ffi::PyException_SetTraceback(value, traceback);
            ffi::Py_DECREF(traceback);
        }
        ffi::Py_XDECREF(class);
        Object::from_owned(value)
    }
}

/// Sets an exception again that was taken with [`fetch`], leaving its traceback as it is.
#[cfg(Py_3_12)]
pub fn restore(exception: Object) -> Raised {
    // SAFETY: the reference is given away.
    unsafe { ffi::PyErr_SetRaisedException(exception.into_ptr()) };
    Raised
}

/// Sets an exception again that was taken with [`fetch`], leaving its traceback as it is.
#[cfg(not(Py_3_12))]
pub fn restore(exception: Object) -> Raised {
    // SAFETY: all three references are given away.
    unsafe {
        let class: *mut ffi::PyObject = ffi::Py_TYPE(exception.as_ptr()).cast();
        ffi::Py_INCREF(class);
        let traceback = ffi::PyException_GetTraceback(exception.as_ptr());
        ffi::PyErr_Restore(class, exception.into_ptr(), traceback);
    }
    Raised
}

/// Whether the exception that is set is an instance of `class`.
pub fn matches(class: *mut ffi::PyObject) -> bool {
    // SAFETY: an exception is set and `class` is an exception class.
    unsafe { ffi::PyErr_ExceptionMatches(class) != 0 }
}

/// Hands the exception that is set to `sys.unraisablehook`, for places that cannot raise.
pub fn report_unraisable(_: Raised, source: *mut ffi::PyObject) {
    // SAFETY: an exception is set; `source` is a valid object or null.
    unsafe { ffi::PyErr_WriteUnraisable(source) }
}

/// Whether `exception` is a `CancelledError`.
pub fn is_cancellation(exception: &Object) -> bool {
    let class = super::globals::globals().asyncio.cancelled_error.as_ptr();
    // SAFETY: both are valid objects, and the class has the ordinary instance check.
    unsafe { ffi::PyErr_GivenExceptionMatches(exception.as_ptr(), class) != 0 }
}

/// Raises `exception` as Python code would that handles `handled`: it becomes the other's context.
///
/// The interpreter does this by itself for what Python frames handle; native code has none.
pub fn raise_while_handling(exception: Object, handled: &Object) -> Raised {
    if !exception.is(handled.as_ptr()) {
        cut_context_chain(handled, &exception);
        // SAFETY: both are exceptions; the reference to the second is given away.
        unsafe {
            ffi::PyException_SetContext(exception.as_ptr(), handled.clone().into_ptr());
        }
    }
    restore(exception)
}

/// Ends the chain of contexts that begins at `first` before it comes to `exception`, which is about to
/// stand in front of it. A chain that is a circle already is walked once, as the interpreter does it.
fn cut_context_chain(first: &Object, exception: &Object) {
    let (mut place, mut slow, mut advance) = (first.clone(), first.clone(), false);
    while let Some(context) = context_of(&place) {
        if context.is(exception.as_ptr()) {
            // SAFETY: `place` is an exception.
            unsafe { ffi::PyException_SetContext(place.as_ptr(), std::ptr::null_mut()) };
            return;
        }
        place = context;
        if place.is(slow.as_ptr()) {
            return;
        }
        if advance {
            if let Some(next) = context_of(&slow) {
                slow = next;
            }
        }
        advance = !advance;
    }
}

/// `exception.__context__`.
pub fn context_of(exception: &Object) -> Option<Object> {
    // SAFETY: the callers pass exceptions; the result is a new reference or null.
    unsafe {
        let context = ffi::PyException_GetContext(exception.as_ptr());
        (!context.is_null()).then(|| Object::from_owned(context))
    }
}

/// The `AttributeError` of an object that lacks an attribute: its `__init__` has not run, or it was
/// deleted. It names both, as the interpreter's own does, so that a similar name can be suggested.
#[cold]
pub fn no_attribute(object: &Object, name: &str) -> Raised {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let object = object.bound(py);
    let make = || -> PyResult<PyErr> {
        let class = object.get_type().name()?;
        let error = pyo3::exceptions::PyAttributeError::new_err(format!(
            "'{class}' object has no attribute '{name}'"
        ));
        let value = error.value(py);
        value.setattr("name", name)?;
        value.setattr("obj", object)?;
        Ok(error)
    };
    make().unwrap_or_else(|error| error).into()
}
