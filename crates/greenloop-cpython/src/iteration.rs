//! The slots and methods that `await` uses on an object, made from the functions of [`Iteration`].
//!
//! `await` calls `am_send` on CPython 3.11 and 3.15 and `__next__` on the versions between
//! (measured), so both are slots. `send`, `throw` and `close` are for code that drives an awaitable
//! by hand; a cancellation also arrives through `throw`.

use std::ffi::c_void;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::attached::attached;
use super::call::type_error;
use super::class::ClassBuilder;
use super::copying::reducing;
use super::coroutine_wrapper::CoroutineWrapper;
use super::error::{Raised, Result};
use super::making;
use super::method::{fast, noargs, one, receiver};
use super::native::{Layout, Native};
use super::object::Object;
use super::stop_iteration::{end_with, raise_stop_iteration};
use super::trap::{trap, trap_leaf};

/// The result of one step of an awaitable.
pub enum Next {
    /// It waits, and yielded this to the task.
    Yielded(Object),
    /// It is done, with the result of the `await`.
    Returned(Object),
}

/// An object that can be awaited.
pub trait Iteration: Layout {
    /// `await` begins: refuses if the object is awaited already. Runs only our code.
    fn begin(_this: &Native<Self>) -> Result<()> {
        Ok(())
    }
    /// Takes a step: the first one, or one because the yielded object is done.
    fn advance(this: &Native<Self>) -> Result<Next>;
    /// Raises an exception where the object waits.
    fn throw(this: &Native<Self>, exception: Object) -> Result<Next>;
    /// Gives up.
    fn close(this: &Native<Self>) -> Result<()>;
}

/// Adds the slots and methods of an iterator for `await` to a class whose instances are `T`'s, and
/// the given methods.
pub fn iterated<T: Iteration>(builder: ClassBuilder<T>) -> ClassBuilder<T> {
    builder
        .slot(ffi::Py_tp_iter, itself as *mut c_void)
        .slot(ffi::Py_tp_iternext, next::<T> as *mut c_void)
        .slot(ffi::Py_am_send, am_send::<T> as *mut c_void)
        .methods([
            one(
                c"send",
                |this, _| by_hand(T::advance(this)?),
                c"Go on; the value is ignored.",
            ),
            fast(
                c"throw",
                |this, arguments| by_hand(T::throw(this, thrown(arguments.positional())?)?),
                c"Raise an exception where the object is awaited.",
            ),
            noargs(
                c"close",
                |this| T::close(this).map(|()| Object::none()),
                c"Give up.",
            ),
            reducing(),
        ])
}

/// Adds the slots and methods of a coroutine to a class whose instances are `T`'s. Only the
/// interpreter can iterate it: it has no `__iter__` and no `__next__`, by which programs know
/// generators. Its `__await__`, called by hand, returns an iterator that has them.
pub fn coroutine<T: Iteration>(builder: ClassBuilder<T>) -> ClassBuilder<T> {
    let by_hand = noargs(
        c"__await__",
        |this| {
            T::begin(this)?;
            CoroutineWrapper::create(this)
        },
        c"Return an iterator that drives the coroutine.",
    );
    iterated(builder)
        .methods([by_hand.beside_slot()])
        .slot(ffi::Py_am_await, begin::<T> as *mut c_void)
        .without(&["__iter__", "__next__"])
}

unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid object.
    unsafe { Object::from_borrowed(this) }.into_ptr()
}

unsafe extern "C" fn begin<T: Iteration>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap_leaf(|| {
        // SAFETY: the slot is called on an instance, borrowed for the call.
        let this = unsafe { receiver::<T>(&this) };
        T::begin(this).map(|()| this.clone().into_object())
    })
}

unsafe extern "C" fn next<T: Iteration>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on an instance, borrowed for the call.
        let this = unsafe { receiver::<T>(&this) };
        match T::advance(this)? {
            Next::Yielded(object) => Ok(object),
            // NULL without an exception says that the iterator ended, which returns None.
            Next::Returned(value) if value.is_none() => Err(Raised),
            Next::Returned(value) => Err(end_with(value)),
        }
    })
}

unsafe extern "C" fn am_send<T: Iteration>(
    this: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    let mut returned = false;
    let object = trap(|| {
        // SAFETY: the slot is called on an instance, borrowed for the call.
        let this = unsafe { receiver::<T>(&this) };
        match T::advance(this)? {
            Next::Yielded(object) => Ok(object),
            Next::Returned(value) => {
                returned = true;
                Ok(value)
            }
        }
    });
    // SAFETY: the interpreter passes a place for the result.
    unsafe { *result = object };
    match (object.is_null(), returned) {
        (true, _) => ffi::PySendResult::PYGEN_ERROR,
        (false, true) => ffi::PySendResult::PYGEN_RETURN,
        (false, false) => ffi::PySendResult::PYGEN_NEXT,
    }
}

/// By hand, a return is a `StopIteration` that any code may see.
fn by_hand(next: Next) -> Result<Object> {
    match next {
        Next::Yielded(object) => Ok(object),
        Next::Returned(value) => Err(raise_stop_iteration(&value)),
    }
}

/// The exception that `throw(exception)` or the older `throw(type[, value[, traceback]])` means.
pub fn thrown(arguments: &[Object]) -> Result<Object> {
    let [first, rest @ ..] = arguments else {
        return Err(type_error("throw expected at least 1 argument, got 0"));
    };
    if rest.len() > 2 {
        let given = arguments.len();
        return Err(type_error(&format!(
            "throw expected at most 3 arguments, got {given}"
        )));
    }
    let py = attached();
    if !rest.is_empty() && cfg!(Py_3_12) {
        let category = py.get_type::<pyo3::exceptions::PyDeprecationWarning>();
        let text = c"the (type, exc, tb) signature of throw() is deprecated, \
                     use the single-arg signature instead.";
        PyErr::warn(py, &category, text, 1)?;
    }
    let value = rest.first().filter(|value| !value.is_none());
    let traceback = rest.get(1).filter(|traceback| !traceback.is_none());
    // SAFETY: all are valid objects.
    unsafe {
        if traceback.is_some_and(|traceback| ffi::PyTraceBack_Check(traceback.as_ptr()) == 0) {
            return Err(type_error(
                "throw() third argument must be a traceback object",
            ));
        }
        if ffi::PyExceptionInstance_Check(first.as_ptr()) != 0 {
            if value.is_some() {
                return Err(type_error(
                    "instance exception may not have a separate value",
                ));
            }
            if let Some(traceback) = traceback {
                ffi::PyException_SetTraceback(first.as_ptr(), traceback.as_ptr());
            }
            return Ok(first.clone());
        }
    }
    // SAFETY: as above.
    if unsafe { ffi::PyExceptionClass_Check(first.as_ptr()) } != 0 {
        return Ok(exception_of(first, value, traceback));
    }
    let class = making::class_name(first)?;
    Err(type_error(&format!(
        "exceptions must be classes or instances deriving from BaseException, not {class}"
    )))
}

/// The exception made of a class, a value and a traceback, as the interpreter makes it for
/// generators: if the class refuses, or makes something else than an exception, the error about
/// that is the exception.
#[allow(
    deprecated,
    reason = "what generators call, and nothing else does the same"
)]
fn exception_of(class: &Object, value: Option<&Object>, traceback: Option<&Object>) -> Object {
    let pointer = |object: Option<&Object>| {
        object.map_or(ptr::null_mut(), |object| object.clone().into_ptr())
    };
    let mut class = pointer(Some(class));
    let (mut value, mut traceback) = (pointer(value), pointer(traceback));
    // SAFETY: the class is one of exceptions; afterwards `value` is an instance, and all three are
    // ours.
    unsafe {
        ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback);
        if !traceback.is_null() {
            ffi::PyException_SetTraceback(value, traceback);
            ffi::Py_DECREF(traceback);
        }
        ffi::Py_XDECREF(class);
        Object::from_owned(value)
    }
}
