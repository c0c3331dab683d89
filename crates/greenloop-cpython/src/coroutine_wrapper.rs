//! The result of `coroutine.__await__()`: an iterator that drives one of our coroutines by hand.
//!
//! The interpreter uses the class's slot instead of this method, and continues with the coroutine
//! itself.

use std::ffi::{c_int, c_void};

use pyo3::ffi;

use super::attached::attached;
use super::class::ClassBuilder;
use super::class_cell::ClassCell;
use super::coroutine::{Resumed, resume, throw};
use super::error::Result;
use super::gc;
use super::iteration::{Iteration, Next, iterated};
use super::making::ByName as _;
use super::object::Object;
use super::slot::{Slot, visit_slots};

static CLASS: ClassCell = ClassCell::new();

/// The C struct.
#[repr(C)]
pub struct CoroutineWrapper {
    header: ffi::PyObject,
    coroutine: Slot,
}

impl CoroutineWrapper {
    pub fn create(coroutine: &Object) -> Result<Object> {
        let class = CLASS.as_ptr();
        // SAFETY: the allocator gives a zeroed block laid out as the struct.
        unsafe {
            let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            let object = Object::from_returned(allocate(class, 0))?;
            (*object.as_ptr().cast::<Self>())
                .coroutine
                .set(coroutine.clone());
            Ok(object)
        }
    }

    fn coroutine(this: &Object) -> Object {
        // SAFETY: called on receivers of this class's methods only.
        unsafe { &*this.as_ptr().cast::<Self>() }
            .coroutine
            .get_or_none()
    }
}

impl Iteration for CoroutineWrapper {
    fn advance(this: &Object) -> Result<Next> {
        next(resume(&Self::coroutine(this)))
    }

    fn throw(this: &Object, exception: Object) -> Result<Next> {
        next(throw(&Self::coroutine(this), &exception))
    }

    fn close(this: &Object) -> Result<()> {
        let py = attached();
        Self::coroutine(this)
            .bound(py)
            .invoke_method(c"close", ())?;
        Ok(())
    }
}

fn next(resumed: Resumed) -> Result<Next> {
    match resumed {
        Resumed::Yielded(object) => Ok(Next::Yielded(object)),
        Resumed::Returned(value) => Ok(Next::Returned(value)),
        Resumed::Failed(raised) => Err(raised),
    }
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead wrapper; the class cannot be inherited from.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        (*this.cast::<CoroutineWrapper>()).coroutine.clear();
        let class = ffi::Py_TYPE(this);
        ffi::PyObject_GC_Del(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a wrapper, with its own visitor.
    unsafe {
        gc::traverse(this, visit, arg, |visitor| {
            visit_slots(visitor, [&(*this.cast::<CoroutineWrapper>()).coroutine])
        })
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on a wrapper.
    unsafe { (*this.cast::<CoroutineWrapper>()).coroutine.clear() };
    0
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = ClassBuilder::new::<CoroutineWrapper>(c"greenloop.coroutine_wrapper")
        .not_callable()
        .doc(c"An iterator that drives a coroutine of native code.")
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear as *mut c_void);
    CLASS.set(iterated::<CoroutineWrapper>(class, Vec::new()).build(None)?);
    Ok(())
}
