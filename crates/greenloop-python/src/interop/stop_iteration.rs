//! Returning a value from `__next__` without making a new exception each time.
//!
//! On CPython 3.12, 3.13 and 3.14 `await` of an object that is no generator calls `tp_iternext`, even
//! where `am_send` exists; a value comes back as a `StopIteration`, which the interpreter unpacks and
//! drops at once. Making and dropping one costs 71 ns, recycling one 11. So the exception raised here
//! is of a subclass whose `tp_dealloc` keeps the block for the next time. `None` needs no exception at
//! all: NULL without one is a return of `None`.

use pyo3::ffi;

use super::class::{ClassBuilder, attribute};
use super::error::{Raised, Result, fetch};
use super::freelist::revive;
use super::globals::globals;
use super::nesting;
use super::object::Object;

type Exception = ffi::PyStopIterationObject;

/// The one block that is kept: values are unpacked at once, so a second is hardly ever needed.
struct Spare(std::cell::Cell<*mut Exception>);

// SAFETY: used with the GIL held only.
unsafe impl Sync for Spare {}

static SPARE: Spare = Spare(std::cell::Cell::new(std::ptr::null_mut()));

/// Raises the `StopIteration` that carries `value`.
pub fn set_stop_iteration(value: Object) -> Raised {
    let class = globals()
        .classes
        .stop_iteration
        .as_ptr()
        .cast::<ffi::PyTypeObject>();
    // SAFETY: a spare block is a dead object of this class, whose fields are empty but for `args`;
    // a new one comes from the class's own allocator, which tracks it, and gets its `args` here.
    unsafe {
        let mut exception = SPARE.0.replace(std::ptr::null_mut());
        if exception.is_null() {
            let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            exception = allocate(class, 0).cast();
            if exception.is_null() {
                return Raised;
            }
            ffi::PyObject_GC_UnTrack(exception.cast());
            (*exception).args = ffi::PyTuple_New(0);
        } else {
            revive(exception.cast());
        }
        (*exception).value = value.into_ptr();
        #[cfg(Py_3_12)]
        ffi::PyErr_SetRaisedException(exception.cast());
        #[cfg(not(Py_3_12))]
        {
            ffi::Py_INCREF(class.cast());
            ffi::PyErr_Restore(class.cast(), exception.cast(), std::ptr::null_mut());
        }
    }
    Raised
}

/// Makes the block that is kept, so that not even the first value needs memory: one that cannot be returned
/// would be lost, with the item of a queue that it is.
pub fn make_spare() {
    drop(fetch(set_stop_iteration(Object::none())));
}

/// Makes the class. It answers to its base's name, and `args` is what it would be there.
pub fn make_class() -> Result<Object> {
    // SAFETY: StopIteration is always valid.
    let base = unsafe { Object::from_borrowed(ffi::PyExc_StopIteration) };
    ClassBuilder::new::<Exception>(c"builtins.StopIteration")
        .collected_as_base()
        .slot(ffi::Py_tp_dealloc, deallocate as *mut _)
        .attributes(vec![attribute!(c"args", args)])
        .build(Some(&base))
}

fn args(this: &Object) -> Result<Object> {
    let exception = this.as_ptr().cast::<Exception>();
    // SAFETY: `this` is an instance of this class; its value may have been cleared.
    unsafe {
        let value = (*exception).value;
        let value = if value.is_null() {
            ffi::Py_None()
        } else {
            value
        };
        Object::from_returned(ffi::PyTuple_Pack(1, value))
    }
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance.
    unsafe { nesting::deallocate(this, end) }
}

unsafe fn end(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance, which nobody has tracked. Every field is
    // emptied before its value is dropped, and the block is kept, with its hold on the class, or freed
    // last.
    unsafe {
        let exception = this.cast::<Exception>();
        for field in [
            &raw mut (*exception).dict,
            &raw mut (*exception).notes,
            &raw mut (*exception).traceback,
            &raw mut (*exception).context,
            &raw mut (*exception).cause,
            &raw mut (*exception).value,
        ] {
            let old = field.replace(std::ptr::null_mut());
            ffi::Py_XDECREF(old);
        }
        if SPARE.0.get().is_null() {
            SPARE.0.set(exception);
        } else {
            let class = ffi::Py_TYPE(this);
            ffi::Py_XDECREF((*exception).args);
            ffi::PyObject_GC_Del(this.cast());
            ffi::Py_DECREF(class.cast());
        }
    }
}
