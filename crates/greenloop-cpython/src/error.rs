//! Python exceptions on the hot path: the interpreter's own error indicator, and a token for "it is
//! set".

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::ffi;
use pyo3::prelude::*;

use super::attached::attached;
use super::chaining::context_of_exception;
use super::exceptions::{AsExceptionClass, ExceptionClass};
use super::making;
use super::object::Object;

/// The interpreter's error indicator is set. Code that gets this returns it or takes the exception
/// with [`fetch`]. It carries nothing because the exception is already where the interpreter looks.
///
/// Only this crate makes one, where the interpreter has reported an exception or been given one.
/// Others get it from a function that raises, or from [`ensure_raised`].
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "an exception is set and has to be returned, reported or fetched"]
pub struct Raised;

/// The result of something that may raise.
pub type Result<T> = std::result::Result<T, Raised>;

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        let py = attached();
        // An error that PyO3 has made, such as of a conversion, gets its exception only now, which
        // panics without memory.
        if catch_unwind(AssertUnwindSafe(|| error.restore(py))).is_err() {
            return no_memory();
        }
        // PyO3's references are given away before anything else is done with the exception: a `Py`
        // that is dropped in a slot is released only when the thread next enters PyO3.
        let exception = fetch(Raised);
        if was_raised(&exception) {
            return restore(exception);
        }
        // It was made by native code and is raised here, so the exception being handled is its
        // context.
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
    fn from(raised: Raised) -> Self {
        PyErr::from_value(fetch(raised).bound(attached()))
    }
}

/// Sets a `MemoryError`, which is always possible: the interpreter keeps some for this.
#[cold]
pub fn no_memory() -> Raised {
    // SAFETY: may be called at any time while the GIL is held.
    unsafe { ffi::PyErr_NoMemory() };
    Raised
}

/// Makes sure that an exception is set where the interpreter reported one: without memory it loses
/// some (CPython 3.11 to 3.13 while it keeps the frame of a coroutine that raises), as it does
/// `MemoryError`s. Nor is code of another extension believed that reports one.
#[cold]
pub fn ensure_raised() -> Raised {
    // SAFETY: may be asked at any time while the GIL is held.
    if unsafe { ffi::PyErr_Occurred() }.is_null() {
        return no_memory();
    }
    Raised
}

/// Sets an exception of the given class with a plain text.
pub fn raise(class: impl AsExceptionClass, text: &CStr) -> Raised {
    // SAFETY: the class is a valid object, and the text ends with a NUL.
    unsafe { ffi::PyErr_SetString(class.class_pointer(), text.as_ptr()) };
    Raised
}

/// Sets an exception of the given class that says nothing.
pub fn raise_bare(class: impl AsExceptionClass) -> Raised {
    // SAFETY: the class is a valid object.
    unsafe { ffi::PyErr_SetNone(class.class_pointer()) };
    Raised
}

/// Sets an exception of the given class made of `value`, or `value` itself if it is one.
pub fn raise_value(class: impl AsExceptionClass, value: &Object) -> Raised {
    // SAFETY: both are valid objects.
    unsafe { ffi::PyErr_SetObject(class.class_pointer(), value.as_ptr()) };
    Raised
}

/// Sets an exception instance.
pub fn raise_object(exception: &Object) -> Raised {
    // SAFETY: both are valid objects. A class that is none of exceptions is refused.
    unsafe { ffi::PyErr_SetObject(ffi::Py_TYPE(exception.as_ptr()).cast(), exception.as_ptr()) };
    Raised
}

/// `raise anything`: an exception, or a class of exceptions.
pub fn raise_anything(anything: &Object) -> Raised {
    // SAFETY: `anything` is a valid object, and the classes are classes of exceptions.
    unsafe {
        if ffi::PyExceptionClass_Check(anything.as_ptr()) != 0 {
            ffi::PyErr_SetNone(anything.as_ptr());
            return Raised;
        }
        if ffi::PyExceptionInstance_Check(anything.as_ptr()) != 0 {
            return raise_object(anything);
        }
        raise(
            ExceptionClass::TypeError,
            c"exceptions must derive from BaseException",
        )
    }
}

/// Takes the exception that is set, with its traceback attached.
#[cfg(Py_3_12)]
#[inline]
pub fn fetch(_: Raised) -> Object {
    // SAFETY: the result is a new reference, or null if none is set after all.
    unsafe {
        let exception = ffi::PyErr_GetRaisedException();
        if exception.is_null() {
            return fetch(no_memory());
        }
        Object::from_owned(exception)
    }
}

/// Takes the exception that is set, with its traceback attached.
#[cfg(not(Py_3_12))]
#[inline]
pub fn fetch(_: Raised) -> Object {
    let (mut class, mut value, mut traceback) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    // SAFETY: after normalising, `value` is an instance that we own, or null if no exception was
    // set.
    unsafe {
        ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
        if class.is_null() {
            return fetch(no_memory());
        }
        ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback);
        if !traceback.is_null() {
            ffi::PyException_SetTraceback(value, traceback);
            ffi::Py_DECREF(traceback);
        }
        ffi::Py_XDECREF(class);
        Object::from_owned(value)
    }
}

/// Sets an exception again that was taken with [`fetch`], leaving its traceback as it is. Any other
/// object is refused, as `raise` refuses it.
#[cfg(Py_3_12)]
#[inline]
pub fn restore(exception: Object) -> Raised {
    if !is_exception(&exception) {
        return raise_anything(&exception);
    }
    // SAFETY: an exception instance, whose reference is given away.
    unsafe { ffi::PyErr_SetRaisedException(exception.into_ptr()) };
    Raised
}

/// Sets an exception again that was taken with [`fetch`], leaving its traceback as it is. Any other
/// object is refused, as `raise` refuses it.
#[cfg(not(Py_3_12))]
#[inline]
pub fn restore(exception: Object) -> Raised {
    if !is_exception(&exception) {
        return raise_anything(&exception);
    }
    // SAFETY: an exception instance, its class and its traceback: all three references are given
    // away.
    unsafe {
        let class: *mut ffi::PyObject = ffi::Py_TYPE(exception.as_ptr()).cast();
        ffi::Py_INCREF(class);
        let traceback = ffi::PyException_GetTraceback(exception.as_ptr());
        ffi::PyErr_Restore(class, exception.into_ptr(), traceback);
    }
    Raised
}

/// Whether an exception is set.
#[inline]
pub fn is_raised() -> bool {
    // SAFETY: may be asked at any time.
    !unsafe { ffi::PyErr_Occurred() }.is_null()
}

/// Takes the exception that is set, if one is.
pub fn take_raised() -> Option<Object> {
    is_raised().then(|| fetch(Raised))
}

/// Runs the handlers of the signals that have come, as the interpreter does between instructions.
pub fn check_signals() -> Result<()> {
    // SAFETY: may be called at any time.
    match unsafe { ffi::PyErr_CheckSignals() } {
        0 => Ok(()),
        _ => Err(Raised),
    }
}

/// Clears the exception that is set.
#[inline]
pub fn clear(_: Raised) {
    // SAFETY: may be called at any time.
    unsafe { ffi::PyErr_Clear() }
}

/// Whether the exception that is set is an instance of `class`.
#[inline]
pub fn matches(class: impl AsExceptionClass) -> bool {
    // SAFETY: the class is a valid object. Where no exception is set, none matches.
    unsafe { ffi::PyErr_ExceptionMatches(class.class_pointer()) != 0 }
}

/// Whether `exception` is an instance of `class`, or that class.
pub fn is_of_class(exception: &Object, class: impl AsExceptionClass) -> bool {
    // SAFETY: both are valid objects.
    unsafe { ffi::PyErr_GivenExceptionMatches(exception.as_ptr(), class.class_pointer()) != 0 }
}

/// Hands the exception that is set to `sys.unraisablehook`, for places that cannot raise: `source`
/// is where it comes from.
pub fn report_unraisable(_: Raised, source: &Object) {
    // SAFETY: an exception is set, and the source is a valid object.
    unsafe { ffi::PyErr_WriteUnraisable(source.as_ptr()) }
}

/// Whether `object` is an instance of an exception class.
#[inline]
pub fn is_exception(object: &Object) -> bool {
    // SAFETY: `object` is valid.
    unsafe { ffi::PyExceptionInstance_Check(object.as_ptr()) != 0 }
}

/// Whether `object` is an exception class.
pub fn is_exception_class(object: &Object) -> bool {
    // SAFETY: `object` is valid.
    unsafe { ffi::PyExceptionClass_Check(object.as_ptr()) != 0 }
}

/// Raises `exception` as Python code would that handles `handled`: it becomes the other's context.
///
/// The interpreter does this by itself for exceptions that Python frames handle; native code has
/// none.
pub fn raise_while_handling(exception: Object, handled: &Object) -> Raised {
    if !exception.is(handled.as_ptr()) && is_exception(&exception) && is_exception(handled) {
        cut_context_chain(handled, &exception);
        // SAFETY: both are exception instances; the reference to the second is given away.
        unsafe {
            ffi::PyException_SetContext(exception.as_ptr(), handled.clone().into_ptr());
        }
    }
    restore(exception)
}

/// Ends the chain of contexts that begins at `first` before it comes to `exception`, which is about
/// to be put in front of it.
fn cut_context_chain(first: &Object, exception: &Object) {
    for (place, context) in contexts(first) {
        if context.is(exception.as_ptr()) {
            // SAFETY: `place` is an exception.
            unsafe { ffi::PyException_SetContext(place.as_ptr(), std::ptr::null_mut()) };
            return;
        }
    }
}

/// The chain of contexts that begins at an exception: each with the exception whose context it is.
///
/// A circular chain, which can be made by hand, is walked about once, in the way of the
/// interpreter: a second walker goes half as fast, and the first one stops when they meet.
pub fn contexts(first: &Object) -> impl Iterator<Item = (Object, Object)> + use<> {
    let (mut place, mut slow, mut advance) = (Some(first.clone()), first.clone(), false);
    std::iter::from_fn(move || {
        let exception = place.take()?;
        let context = context_of_exception(&exception)?;
        if !context.is(slow.as_ptr()) {
            place = Some(context.clone());
        }
        if advance {
            if let Some(next) = context_of_exception(&slow) {
                slow = next;
            }
        }
        advance = !advance;
        Some((exception, context))
    })
}

/// The `AttributeError` of an object that lacks an attribute: its `__init__` has not run, or it was
/// deleted. It names both, as the interpreter's own does, so that a similar name can be suggested.
#[cold]
pub fn no_attribute(object: &Object, name: &str) -> Raised {
    let make = || -> Result<Object> {
        let class = making::class_name(object)?;
        let text = making::text(&format!("'{class}' object has no attribute '{name}'"))?;
        let error = ExceptionClass::AttributeError.object();
        let error = error.call([&text])?;
        error.set_attribute(&making::interned(c"name")?, &making::text(name)?)?;
        error.set_attribute(&making::interned(c"obj")?, object)?;
        Ok(error)
    };
    make().map_or_else(|raised| raised, |error| raise_object(&error))
}
