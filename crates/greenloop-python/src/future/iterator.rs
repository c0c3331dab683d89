//! What `await future` iterates over: yields the future once, then returns its result.
//!
//! `await` calls `am_send` on CPython 3.11 and 3.15 and `__next__` on the versions between (measured),
//! so both are slots. `send`, `throw` and `close` are for those who drive it by hand, and `throw` is
//! also how a cancellation arrives here.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;

use super::{Future, PENDING};
use crate::interop::{
    Arguments, ClassBuilder, Freelist, Object, Raised, Result, Slot, call_function, fast, globals,
    noargs, one, raise, raise_object, set_stop_iteration, trap, type_error,
};

static SPARE: Freelist<256> = Freelist::new();

/// The C struct of the iterator.
#[repr(C)]
struct FutureIterator {
    header: ffi::PyObject,
    /// Emptied when the iterator has nothing more to say.
    future: Slot,
    /// Set at the first time it blocks: before that it is in no reference cycle.
    tracked: Cell<bool>,
}

/// What one step of the iterator gave.
enum Next {
    Yielded(Object),
    Returned(Object),
}

impl FutureIterator {
    fn of(object: &Object) -> &Self {
        // SAFETY: called on receivers of this class's methods only.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    #[inline]
    fn advance(this: &Object) -> Result<Next> {
        let iterator = Self::of(this);
        let Some(object) = iterator.future.get() else {
            return Ok(Next::Returned(Object::none()));
        };
        let future = Future::of(&object);
        if future.state() != PENDING {
            iterator.future.clear();
            return future.outcome().map(Next::Returned);
        }
        if future.blocking().replace(true) {
            // SAFETY: RuntimeError is always valid.
            let class = unsafe { ffi::PyExc_RuntimeError };
            return Err(raise(class, c"await wasn't used with future"));
        }
        if !iterator.tracked.replace(true) {
            // SAFETY: a complete object of a garbage collected class that is not tracked yet.
            unsafe { ffi::PyObject_GC_Track(this.as_ptr().cast()) };
        }
        Ok(Next::Yielded(object))
    }
}

/// `future.__await__()` and `iter(future)`.
pub unsafe extern "C" fn iterate(future: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a future; the struct is the class's.
        let future = unsafe { Object::from_borrowed(future) };
        Future::of(&future).ensure_initialised()?;
        let class = globals().classes.future_iterator.as_ptr();
        // SAFETY: `FutureIterator` is the struct of that class, and the list serves it alone.
        let iterator =
            unsafe { Object::from_owned(SPARE.allocate::<FutureIterator>(class)?.cast()) };
        FutureIterator::of(&iterator).future.set(future);
        Ok(iterator)
    })
}

unsafe extern "C" fn next(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on an iterator, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        match FutureIterator::advance(this)? {
            Next::Yielded(object) => Ok(object),
            // NULL without an exception says that the iterator ended, which returns None.
            Next::Returned(value) if value.is_none() => Err(Raised),
            Next::Returned(value) => Err(set_stop_iteration(value)),
        }
    })
}

unsafe extern "C" fn am_send(
    this: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    let mut returned = false;
    let object = trap(|| {
        // SAFETY: the slot is called on an iterator, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        match FutureIterator::advance(this)? {
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

/// `send` by hand ends with a plain `StopIteration`.
fn send(this: &Object, _value: &Object) -> Result<Object> {
    match FutureIterator::advance(this)? {
        Next::Yielded(object) => Ok(object),
        Next::Returned(value) => {
            // SAFETY: StopIteration is always valid.
            let class = unsafe { Object::from_borrowed(ffi::PyExc_StopIteration) };
            let arguments = [value.as_ptr()];
            let arguments: &[_] = if value.is_none() { &[] } else { &arguments };
            Err(raise_object(&call_function(&class, arguments)?))
        }
    }
}

fn throw(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let exception = throw_arguments(arguments.positional())?;
    FutureIterator::of(this).future.clear();
    Err(raise_object(&exception))
}

/// The exception that `throw(exception)` or the older `throw(type[, value[, traceback]])` means.
fn throw_arguments(arguments: &[Object]) -> Result<Object> {
    let [first, rest @ ..] = arguments else {
        return Err(type_error("throw expected at least 1 argument, got 0"));
    };
    if rest.len() > 2 {
        let given = arguments.len();
        return Err(type_error(&format!(
            "throw expected at most 3 arguments, got {given}"
        )));
    }
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    if !rest.is_empty() && cfg!(Py_3_12) {
        let category = py.get_type::<pyo3::exceptions::PyDeprecationWarning>();
        let text = c"the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.";
        PyErr::warn(py, &category, text, 1)?;
    }
    let value = rest.first().filter(|value| !value.is_none());
    let traceback = rest.get(1).filter(|traceback| !traceback.is_none());
    // SAFETY: all are valid objects.
    unsafe {
        if traceback.is_some_and(|traceback| ffi::PyTraceBack_Check(traceback.as_ptr()) == 0) {
            return Err(type_error("throw() third argument must be a traceback"));
        }
        let exception = if ffi::PyExceptionInstance_Check(first.as_ptr()) != 0 {
            if value.is_some() {
                return Err(type_error(
                    "instance exception may not have a separate value",
                ));
            }
            first.clone()
        } else if ffi::PyExceptionClass_Check(first.as_ptr()) != 0 {
            match value {
                Some(value) if ffi::PyObject_IsInstance(value.as_ptr(), first.as_ptr()) == 1 => {
                    value.clone()
                }
                Some(value) => call_function(first, &[value.as_ptr()])?,
                None => call_function(first, &[])?,
            }
        } else {
            let class = first.bound(py).get_type();
            return Err(type_error(&format!(
                "exceptions must be classes deriving BaseException or instances of such a class, not {}",
                class.name()?
            )));
        };
        if let Some(traceback) = traceback {
            ffi::PyException_SetTraceback(exception.as_ptr(), traceback.as_ptr());
        }
        Ok(exception)
    }
}

fn close(this: &Object) -> Result<Object> {
    FutureIterator::of(this).future.clear();
    Ok(Object::none())
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead iterator; the class cannot be inherited from.
    unsafe {
        let iterator = &*this.cast::<FutureIterator>();
        if iterator.tracked.get() {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        iterator.future.clear();
        SPARE.free(this);
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an iterator, with its own visitor.
    unsafe {
        match (*this.cast::<FutureIterator>()).future.visit(visit, arg) {
            0 => visit(ffi::Py_TYPE(this).cast(), arg),
            stop => stop,
        }
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an iterator.
    unsafe { (*this.cast::<FutureIterator>()).future.clear() };
    0
}

unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid object.
    unsafe { Object::from_borrowed(this) }.into_ptr()
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<FutureIterator>(c"greenloop.FutureIter")
        .not_callable()
        .doc(c"The iterator behind `await future`.")
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear as *mut c_void)
        .slot(ffi::Py_tp_iter, itself as *mut c_void)
        .slot(ffi::Py_tp_iternext, next as *mut c_void)
        .slot(ffi::Py_am_await, itself as *mut c_void)
        .slot(ffi::Py_am_send, am_send as *mut c_void)
        .methods(vec![
            one!(c"send", send, c"Go on; the value is ignored."),
            fast!(
                c"throw",
                throw,
                c"Raise an exception where the future is awaited."
            ),
            noargs!(c"close", close, c"Let go of the future."),
        ])
        .build(None)
}
