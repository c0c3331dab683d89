//! The current task: the one whose step this thread runs, and the one in asyncio's own record.
//!
//! asyncio enters and leaves a task at each step; together that costs 30 to 45 ns. Here the entry
//! is only written, and left in place until something other than one of our steps is about to run.
//! The next step overwrites it, and [`CurrentTask::clear`] removes it before plain callbacks,
//! before the loop waits and when it ends. No code can see the stale entry, because nothing else
//! runs in between. asyncio's entry alone holds the task.

use std::cell::Cell;
use std::ptr;

#[cfg(Py_3_12)]
use greenloop_cpython::call_function;
#[cfg(not(Py_3_14))]
use greenloop_cpython::{DictEntry, ExceptionClass, Raised, clear, is_raised, matches};
use greenloop_cpython::{Object, Result, Slot};
use pyo3::ffi;

use crate::asyncio::globals;

thread_local! {
    /// The native task whose coroutine this thread runs, borrowed: its step holds it.
    static STEPPING: Cell<*mut ffi::PyObject> = const { Cell::new(ptr::null_mut()) };
}

/// The native task whose coroutine runs on this thread, innermost first, which receives the
/// awaitables that it awaits.
#[inline]
pub fn stepping() -> Option<Object> {
    let task = STEPPING.get();
    // SAFETY: the step that set it holds the task, and resets it before it ends.
    (!task.is_null()).then(|| unsafe { Object::from_borrowed(task) })
}

/// Runs `body` as a part of `task`'s step.
#[inline]
pub fn within<R>(task: &Object, body: impl FnOnce() -> R) -> R {
    // Looked up once: in a library that is loaded at run time that is a call.
    STEPPING.with(|stepping| {
        let before = stepping.replace(task.as_ptr());
        let result = body();
        stepping.set(before);
        result
    })
}

/// Runs `body` outside any task's step: a loop that runs inside another one's task.
pub fn away<R>(body: impl FnOnce() -> R) -> R {
    let before = STEPPING.replace(ptr::null_mut());
    let result = body();
    STEPPING.set(before);
    result
}

/// The entry that one loop has written into asyncio's record.
pub struct CurrentTask {
    /// Set while the record names a native task as the loop's current one.
    any: Cell<bool>,
    #[cfg(not(Py_3_14))]
    place: DictEntry,
}

impl CurrentTask {
    /// No entry yet.
    pub const fn nothing() -> Self {
        Self {
            any: Cell::new(false),
            #[cfg(not(Py_3_14))]
            place: DictEntry::unknown(),
        }
    }

    /// Makes `task` the current task of `event_loop`, which runs.
    #[inline]
    pub fn set(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        self.write(event_loop, task)?;
        self.any.set(true);
        Ok(())
    }

    /// Leaves no task current on `event_loop`.
    #[inline]
    pub fn clear(&self, event_loop: &Slot) -> Result<()> {
        if self.any.replace(false) {
            return remove(event_loop);
        }
        Ok(())
    }

    /// CPython 3.11 to 3.13 keep the current tasks in a dictionary with the loops as keys.
    #[cfg(not(Py_3_14))]
    #[inline]
    fn write(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        let tasks = globals().asyncio.current_tasks.as_ptr();
        let key = event_loop.as_ptr();
        // SAFETY: the dictionary, the loop and the task are valid objects, and this dictionary is
        // the only one that the place is used for.
        unsafe {
            if self.place.replace(tasks, key, task) {
                return Ok(());
            }
            if ffi::PyDict_SetItem(tasks, key, task.as_ptr()) < 0 {
                return Err(Raised);
            }
            self.place.remember(tasks, key);
        }
        Ok(())
    }

    /// CPython 3.14 and later keep it in the thread's state.
    #[cfg(Py_3_14)]
    #[inline]
    #[expect(
        clippy::unused_self,
        reason = "older versions keep the place of the entry"
    )]
    fn write(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        swap(&event_loop.get_or_none(), Some(task)).map(drop)
    }
}

#[cfg(not(Py_3_14))]
#[cold]
fn remove(event_loop: &Slot) -> Result<()> {
    let tasks = globals().asyncio.current_tasks.as_ptr();
    // SAFETY: the dictionary and the loop are valid objects.
    unsafe {
        if ffi::PyDict_DelItem(tasks, event_loop.as_ptr()) < 0 {
            // Somebody removed it before, as nested loops do.
            if !matches(ExceptionClass::KeyError) {
                return Err(Raised);
            }
            clear(Raised);
        }
    }
    Ok(())
}

#[cfg(Py_3_14)]
fn remove(event_loop: &Slot) -> Result<()> {
    swap(&event_loop.get_or_none(), None).map(drop)
}

/// Whether asyncio's own record names `task` as the current one of `event_loop`.
#[cfg(not(Py_3_14))]
#[inline]
pub fn is_recorded(event_loop: &Slot, task: &Object) -> Result<bool> {
    let tasks = globals().asyncio.current_tasks.as_ptr();
    // SAFETY: the dictionary and the loop, which the task holds, are valid; the result is borrowed.
    let recorded = unsafe { ffi::PyDict_GetItemWithError(tasks, event_loop.as_ptr()) };
    if recorded.is_null() && is_raised() {
        return Err(Raised);
    }
    Ok(task.is(recorded))
}

/// Whether asyncio's own record names `task` as the current one of `event_loop`.
#[cfg(Py_3_14)]
#[inline]
pub fn is_recorded(event_loop: &Slot, task: &Object) -> Result<bool> {
    let arguments = [event_loop.as_ptr()];
    let recorded = call_function(&globals().asyncio.current_task, &arguments)?;
    Ok(task.is(recorded.as_ptr()))
}

/// Makes another task, or none, the current one and returns the one before, for an eager task that
/// runs inside another task's step.
#[cfg(Py_3_12)]
pub fn swap(event_loop: &Object, task: Option<&Object>) -> Result<Option<Object>> {
    #[cfg(Py_3_14)]
    if let Some(before) = super::thread_state::swap(event_loop, task) {
        return Ok(before);
    }
    // SAFETY: None is always valid.
    let task = task.map_or(unsafe { ffi::Py_None() }, Object::as_ptr);
    let old = call_function(
        &globals().asyncio.swap_current_task,
        &[event_loop.as_ptr(), task],
    )?;
    Ok(Some(old).filter(|old| !old.is_none()))
}
