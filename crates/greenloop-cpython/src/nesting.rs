//! Deallocating objects, however deep they are nested.
//!
//! A task whose result is a task whose result is a task, a million times, would be deallocated in
//! as many nested calls, and no stack has room for them. From 3.14 on the interpreter prevents that
//! for every class. Up to 3.13 each class does so itself; CPython's classes use a private trashcan
//! that counts calls. This is ours, and it looks at the stack. Where the stack is used up, an
//! object is put aside, dead and untracked by the garbage collector, and its deallocation continues
//! when the calls have returned.

use pyo3::ffi;

/// The end of an object: the work of its class's `tp_dealloc`.
pub type End = unsafe fn(*mut ffi::PyObject);

/// Deallocates a dead object, now or, deep inside the deallocation of others, when those are
/// through.
///
/// # Safety
/// Called as a `tp_dealloc` is, with the work of that for an object of the class.
#[cfg(Py_3_14)]
#[inline]
pub unsafe fn deallocate(object: *mut ffi::PyObject, end: End) {
    // SAFETY: passed on from the caller.
    unsafe { end(object) }
}

#[cfg(not(Py_3_14))]
pub use put_aside::deallocate;

#[cfg(not(Py_3_14))]
mod put_aside {
    use std::cell::{Cell, RefCell};
    use std::mem::ManuallyDrop;

    use pyo3::ffi;

    use super::End;
    use crate::stack::has_room_to_drop;

    /// A dead object.
    struct Dead {
        object: *mut ffi::PyObject,
        end: End,
        /// Whether the garbage collector knew of it, which its end counts on.
        tracked: bool,
    }

    /// How many are put aside, by all threads.
    struct Count(Cell<usize>);

    // SAFETY: used with the GIL held only.
    unsafe impl Sync for Count {}

    static WAITING: Count = Count(Cell::new(0));

    thread_local! {
        /// Those of this thread, since the ending objects may be bound to it. Objects end as long
        /// as the thread lives, so this must not be dropped before; it holds no memory while it is
        /// empty.
        static DEAD: RefCell<ManuallyDrop<Vec<Dead>>> =
            const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    }

    /// Deallocates a dead object, now or, deep inside the deallocation of others, when those are
    /// through.
    ///
    /// # Safety
    /// Called as a `tp_dealloc` is, with the work of that for an object of the class.
    #[inline]
    pub unsafe fn deallocate(object: *mut ffi::PyObject, end: End) {
        if !has_room_to_drop() {
            // SAFETY: passed on from the caller.
            unsafe { put_aside(object, end) };
            return;
        }
        // SAFETY: passed on from the caller.
        unsafe { end(object) };
        if WAITING.0.get() != 0 {
            // SAFETY: what was put aside is dead.
            unsafe { end_those_put_aside() };
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn put_aside(object: *mut ffi::PyObject, end: End) {
        if DEAD.with_borrow_mut(|dead| dead.try_reserve(1)).is_err() {
            // Without memory for it, there is room on the stack still: the reserve.
            // SAFETY: passed on from the caller.
            unsafe { end(object) };
            return;
        }
        // SAFETY: a dead object of a garbage collected class. The collector would take it for
        // garbage.
        let tracked = unsafe {
            let tracked = ffi::PyObject_GC_IsTracked(object) != 0;
            if tracked {
                ffi::PyObject_GC_UnTrack(object.cast());
            }
            tracked
        };
        DEAD.with_borrow_mut(|dead| {
            dead.push(Dead {
                object,
                end,
                tracked,
            });
        });
        WAITING.0.set(WAITING.0.get() + 1);
    }

    #[cold]
    #[inline(never)]
    unsafe fn end_those_put_aside() {
        while has_room_to_drop() {
            let next = DEAD.with_borrow_mut(|dead| {
                let next = dead.pop();
                if dead.is_empty() {
                    dead.shrink_to_fit();
                }
                next
            });
            let Some(dead) = next else {
                return;
            };
            WAITING.0.set(WAITING.0.get() - 1);
            // SAFETY: nobody has touched the object since it died.
            unsafe {
                if dead.tracked {
                    ffi::PyObject_GC_Track(dead.object.cast());
                }
                (dead.end)(dead.object);
            }
        }
    }
}
