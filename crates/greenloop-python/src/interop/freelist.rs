//! Blocks of freed objects kept for the next one of the same class.

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};

use pyo3::ffi;

use super::error::{Raised, Result};

/// Up to `N` dead objects of one class without a `__dict__`. An allocation costs about 9 ns less
/// than the interpreter's, and does not count towards the next garbage collection.
pub struct Freelist<const N: usize> {
    blocks: UnsafeCell<[*mut ffi::PyObject; N]>,
    len: Cell<usize>,
}

// SAFETY: used with the GIL held only.
unsafe impl<const N: usize> Sync for Freelist<N> {}

impl<const N: usize> Freelist<N> {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            blocks: UnsafeCell::new([std::ptr::null_mut(); N]),
            len: Cell::new(0),
        }
    }

    /// A zeroed, untracked object of `class`, whose struct is `T`.
    ///
    /// # Safety
    /// `class` is a garbage collected heap type without items whose instances have the layout of `T`,
    /// and only blocks of that class are given to this list.
    pub unsafe fn allocate<T>(&self, class: *mut ffi::PyTypeObject) -> Result<*mut T> {
        // SAFETY: the blocks below `len` are dead objects of this class; everything after the header
        // is zeroed, and the header made anew, before the object is handed out.
        unsafe {
            let len = self.len.get();
            let block = if len > 0 {
                self.len.set(len - 1);
                (*self.blocks.get())[len - 1]
            } else {
                let fresh = ffi::PyObject_GC_New::<ffi::PyObject>(class);
                if fresh.is_null() {
                    return Err(Raised);
                }
                fresh
            };
            let header = size_of::<ffi::PyObject>();
            block
                .cast::<u8>()
                .add(header)
                .write_bytes(0, Layout::new::<T>().size() - header);
            if len > 0 {
                ffi::PyObject_Init(block, class);
            }
            Ok(block.cast())
        }
    }

    /// Takes a dead, untracked, emptied object and lets go of its class.
    ///
    /// # Safety
    /// Called at the end of the class's `tp_dealloc`, for an object of the class this list is for.
    pub unsafe fn free(&self, object: *mut ffi::PyObject) {
        // SAFETY: nothing refers to the object any more; a heap type is referenced by each instance.
        unsafe {
            let class = ffi::Py_TYPE(object);
            let len = self.len.get();
            if len < N {
                (*self.blocks.get())[len] = object;
                self.len.set(len + 1);
            } else {
                ffi::PyObject_GC_Del(object.cast());
            }
            ffi::Py_DECREF(class.cast());
        }
    }
}
