//! The calls by which native code enters the interpreter, guarded against the interpreter's end.
//!
//! Up to 3.13 CPython unwinds the stack of a daemon thread that asks for the GIL when the
//! interpreter ends. The guard and the reasons are in `greenloop_bridge::thread_exit`. Without an
//! unwinding it costs nothing.

use std::ffi::c_int;
use std::hint::black_box;
use std::mem;

pub use greenloop_bridge::thread_exit::guarded;
use pyo3::ffi;

// The functions of `pyo3::ffi`, by the type of ones that may unwind. For others the compiler leaves
// no trace of their callers in the unwinding tables, and no guard would run; it knows the functions
// by their names, so it must not see which ones are called.
type IterSend = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut *mut ffi::PyObject,
) -> c_int;
type Vectorcall = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;
type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;
type RestoreThread = unsafe extern "C-unwind" fn(*mut ffi::PyThreadState);

/// `PyIter_Send`, without its call where the class has a slot for it, as coroutines have: 1 for a
/// value that was yielded, 0 for one that was returned, -1 for an exception.
///
/// # Safety
/// As for the function of this name.
#[inline]
pub unsafe fn iter_send(
    iterator: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the iterator is valid, and so are its class and what that points to.
    let slot = unsafe {
        let asynchronous = (*ffi::Py_TYPE(iterator)).tp_as_async;
        asynchronous.as_ref().and_then(|slots| slots.am_send)
    };
    let function = slot.map_or_else(
        || black_box(ffi::PyIter_Send as *const ()),
        |slot| slot as *const (),
    );
    // SAFETY: the type is the function's own but for the unwinding and the name of the result.
    let function = unsafe { mem::transmute::<*const (), IterSend>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(iterator, value, result) })
}

/// `PyObject_Vectorcall`.
///
/// # Safety
/// As for the function of this name.
#[inline]
pub unsafe fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    debug_assert!(nothing_is_raised(), "called while an exception is set");
    let function = black_box(ffi::PyObject_Vectorcall as *const ());
    // SAFETY: the type is the function's own but for the unwinding.
    let function = unsafe { mem::transmute::<*const (), Vectorcall>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(callable, arguments, count, names) })
}

/// A call of an object by the entry that was found in it.
///
/// # Safety
/// The entry is the object's, and the others are the words of its convention.
#[inline]
pub unsafe fn call_entry(
    entry: ffi::vectorcallfunc,
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let function = black_box(entry as *const ());
    // SAFETY: the type is the function's own but for the unwinding.
    let function = unsafe { mem::transmute::<*const (), Vectorcall>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(callable, arguments, count, names) })
}

/// `PyObject_VectorcallMethod`.
///
/// # Safety
/// As for the function of this name.
#[inline]
pub unsafe fn vectorcall_method(
    name: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    debug_assert!(nothing_is_raised(), "called while an exception is set");
    let function = black_box(ffi::PyObject_VectorcallMethod as *const ());
    // SAFETY: the type is the function's own but for the unwinding.
    let function = unsafe { mem::transmute::<*const (), Vectorcall>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(name, arguments, count, names) })
}

/// `PyObject_Call`.
///
/// # Safety
/// As for the function of this name.
#[inline]
pub unsafe fn call(
    callable: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let function = black_box(ffi::PyObject_Call as *const ());
    // SAFETY: the type is the function's own but for the unwinding.
    let function = unsafe { mem::transmute::<*const (), Call>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(callable, arguments, keywords) })
}

/// Whether no exception is set, without which nothing may be called: it would be taken for the
/// callee's.
fn nothing_is_raised() -> bool {
    // SAFETY: may be asked at any time while the GIL is held.
    unsafe { ffi::PyErr_Occurred().is_null() }
}

/// `PyEval_RestoreThread`: takes the GIL back.
///
/// # Safety
/// As for the function of this name.
#[inline]
pub unsafe fn restore_thread(state: *mut ffi::PyThreadState) {
    let function = black_box(ffi::PyEval_RestoreThread as *const ());
    // SAFETY: the type is the function's own but for the unwinding.
    let function = unsafe { mem::transmute::<*const (), RestoreThread>(function) };
    // SAFETY: passed on from the caller.
    guarded(|| unsafe { function(state) });
}
