//! The base classes of `_asyncio`: whose parts of a future's life are left to them.
//!
//! Our futures and tasks derive from theirs and use none of their fields, but those fields are there,
//! and so are the `__dict__`, the weak references and, from 3.14 on, the edges of the call graph, which
//! asyncio's own code writes. The base's slots look after all of these, so that nothing here depends on
//! where they stand.

use std::ffi::{c_int, c_void};

use pyo3::ffi;

use super::BASE_SIZE;
use crate::interop::attributes_are_untouched;

/// Ends a deallocation with that of the base class.
///
/// # Safety
/// Called last in a `tp_dealloc`, with the class of `_asyncio` that the object's class derives from.
pub unsafe fn deallocate_base(this: *mut ffi::PyObject, base: *mut ffi::PyTypeObject) {
    // SAFETY: as for this function.
    if unsafe { is_untouched(this) } {
        // SAFETY: the object is dead, and nothing but its block and its class are left of it.
        unsafe {
            let class = ffi::Py_TYPE(this);
            let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
            free(this.cast());
            ffi::Py_DECREF(class.cast());
        }
        return;
    }
    // SAFETY: the base takes an object that is untracked and finalised already; on 3.11, where it is
    // a static class, it does not let go of the object's own class.
    unsafe {
        let class = ffi::Py_TYPE(this);
        let static_base = (*base).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
        if let Some(deallocate) = (*base).tp_dealloc {
            deallocate(this);
        }
        if static_base {
            ffi::Py_DECREF(class.cast());
        }
    }
}

/// Whether the base's part of a dead object is as it was when it was allocated: nobody has set an
/// attribute, taken a weak reference or called a method of the base's own. Then there is nothing for the
/// base to clear, which would take about a third of what a task's end costs.
#[inline]
unsafe fn is_untouched(this: *mut ffi::PyObject) -> bool {
    // SAFETY: an instance of a class of ours has `BASE_SIZE` bytes, and in front of it what its class's
    // flags say.
    unsafe {
        if !attributes_are_untouched(this) {
            return false;
        }
        let header = size_of::<ffi::PyObject>();
        let fields = this.cast::<u8>().add(header).cast::<usize>();
        let words = (BASE_SIZE - header) / size_of::<usize>();
        let fields = std::slice::from_raw_parts(fields, words);
        fields.iter().fold(0, |all, field| all | field) == 0
    }
}

/// Shows the base's fields, among them the instance's `__dict__`, to the garbage collector.
///
/// # Safety
/// Called from a `tp_traverse` with the arguments it was given, and the class of `_asyncio` that the
/// object's class derives from.
pub unsafe fn traverse_base(
    this: *mut ffi::PyObject,
    base: *mut ffi::PyTypeObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: passed on from the caller. A heap class's traverse visits the object's class itself.
    unsafe {
        if (*base).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            let stop = visit(ffi::Py_TYPE(this).cast(), arg);
            if stop != 0 {
                return stop;
            }
        }
        (*base)
            .tp_traverse
            .map_or(0, |traverse| traverse(this, visit, arg))
    }
}

/// Clears the base's fields.
///
/// # Safety
/// Called from a `tp_clear`, with the class of `_asyncio` that the object's class derives from.
pub unsafe fn clear_base(this: *mut ffi::PyObject, base: *mut ffi::PyTypeObject) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { (*base).tp_clear.map_or(0, |clear| clear(this)) }
}
