//! The iterator of `await future`: it yields the future once, then returns its result.

use std::ffi::{c_int, c_void};

use greenloop_cpython::{
    ClassBuilder, ExceptionClass, Freelist, Iteration, Next, Object, Result, Slot, iterated, raise,
    restore, trap,
};
use pyo3::ffi;

use super::{Future, PENDING};
use crate::asyncio::globals;

static SPARE: Freelist<256> = Freelist::new();

/// The C struct of the iterator.
#[repr(C)]
struct FutureIterator {
    header: ffi::PyObject,
    /// Emptied when the iterator has nothing more to say.
    future: Slot,
}

impl FutureIterator {
    fn of(object: &Object) -> &Self {
        // SAFETY: called on receivers of this class's methods only.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }
}

impl Iteration for FutureIterator {
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
            let class = ExceptionClass::RuntimeError;
            return Err(raise(class, c"await wasn't used with future"));
        }
        Ok(Next::Yielded(object))
    }

    fn throw(this: &Object, exception: Object) -> Result<Next> {
        Self::of(this).future.clear();
        Err(restore(exception))
    }

    fn close(this: &Object) -> Result<()> {
        Self::of(this).future.clear();
        Ok(())
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
        // SAFETY: a complete object of a garbage collected class that is not tracked yet.
        unsafe { ffi::PyObject_GC_Track(iterator.as_ptr().cast()) };
        Ok(iterator)
    })
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead iterator. One that has come to its end holds
    // nothing.
    unsafe {
        if (*this.cast::<FutureIterator>()).future.is_empty() {
            end(this);
        } else {
            greenloop_cpython::deallocate(this, end);
        }
    }
}

unsafe fn end(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead iterator; the class cannot be inherited from.
    unsafe {
        let iterator = &*this.cast::<FutureIterator>();
        ffi::PyObject_GC_UnTrack(this.cast());
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
        greenloop_cpython::traverse(this, visit, arg, |visitor| {
            (*this.cast::<FutureIterator>()).future.visit(visitor)
        })
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an iterator.
    unsafe { (*this.cast::<FutureIterator>()).future.clear() };
    0
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let class = ClassBuilder::new::<FutureIterator>(c"greenloop.FutureIter")
        .not_callable()
        .doc(c"The iterator behind `await future`.")
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear as *mut c_void);
    iterated::<FutureIterator>(class, Vec::new()).build(None)
}
