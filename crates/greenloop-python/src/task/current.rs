//! `asyncio.current_task()`: the entry by which asyncio knows the current task.
//!
//! asyncio enters and leaves a task at each step; together that costs 30 to 45 ns. Here the entry
//! is only written, and left in place until something other than one of our steps is about to run.
//! The next step overwrites it, and [`clear_published`] removes it before plain callbacks, before
//! the loop waits and when it ends. No code can see the stale entry, because nothing else runs in
//! between. asyncio's entry alone holds the task.

use std::cell::Cell;
use std::ptr;

#[cfg(not(Py_3_14))]
use greenloop_cpython::{DictEntry, ExceptionClass, is_raised, matches};
use greenloop_cpython::{Object, Raised, Result, call_function, call_method, clear};
use pyo3::ffi;

use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::future::Future;

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

/// `asyncio.current_task(event_loop)`.
///
/// If one of asyncio's own tasks began eagerly inside a native step, it is the current one, so the
/// step alone does not tell.
#[inline]
pub fn current_task(event_loop: Option<&Object>) -> Result<Option<Object>> {
    if let Some(task) = stepping() {
        let own = Future::of(&task).event_loop().as_ptr();
        if event_loop.is_none_or(|event_loop| event_loop.is(own)) && is_recorded(own, &task)? {
            return Ok(Some(task));
        }
    }
    // By name: asyncio's tasks in Python have their own function.
    let asyncio = &globals().asyncio;
    let mut arguments = vec![asyncio.tasks.as_ptr()];
    arguments.extend(event_loop.map(Object::as_ptr));
    let task = call_method(&globals().names.current_task, &arguments)?;
    Ok(Some(task).filter(|task| !task.is_none()))
}

/// Whether asyncio's own record names `task`.
#[cfg(not(Py_3_14))]
#[inline]
fn is_recorded(event_loop: *mut ffi::PyObject, task: &Object) -> Result<bool> {
    let tasks = globals().asyncio.current_tasks.as_ptr();
    // SAFETY: the dictionary and the loop, which the task holds, are valid; the result is borrowed.
    let recorded = unsafe { ffi::PyDict_GetItemWithError(tasks, event_loop) };
    if recorded.is_null() && is_raised() {
        return Err(Raised);
    }
    Ok(task.is(recorded))
}

/// Whether asyncio's own record names `task`.
#[cfg(Py_3_14)]
#[inline]
fn is_recorded(event_loop: *mut ffi::PyObject, task: &Object) -> Result<bool> {
    let recorded = call_function(&globals().asyncio.current_task, &[event_loop])?;
    Ok(task.is(recorded.as_ptr()))
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
pub struct Published {
    /// Set while the record names a native task as the loop's current one.
    any: Cell<bool>,
    #[cfg(not(Py_3_14))]
    place: DictEntry,
}

impl Published {
    /// Nothing yet.
    pub const fn nothing() -> Self {
        Self {
            any: Cell::new(false),
            #[cfg(not(Py_3_14))]
            place: DictEntry::unknown(),
        }
    }
}

/// Makes `task` the current task of its loop, which runs.
#[inline]
pub fn publish(event_loop: &EventLoop, task: &Object) -> Result<()> {
    write(event_loop, task)?;
    event_loop.published.any.set(true);
    Ok(())
}

/// Leaves no task current on this loop, before anything other than a native step looks.
#[inline]
pub fn clear_published(event_loop: &EventLoop) -> Result<()> {
    if event_loop.published.any.replace(false) {
        return remove(event_loop);
    }
    Ok(())
}

/// CPython 3.11 to 3.13 keep the current tasks in a dictionary with the loops as keys.
#[cfg(not(Py_3_14))]
#[inline]
fn write(event_loop: &EventLoop, task: &Object) -> Result<()> {
    let tasks = globals().asyncio.current_tasks.as_ptr();
    let key = event_loop.object().as_ptr();
    let place = &event_loop.published.place;
    // SAFETY: the dictionary, the loop and the task are valid objects, and this dictionary is the
    // only one that the place is used for.
    unsafe {
        if place.replace(tasks, key, task) {
            return Ok(());
        }
        if ffi::PyDict_SetItem(tasks, key, task.as_ptr()) < 0 {
            return Err(Raised);
        }
        place.remember(tasks, key);
    }
    Ok(())
}

#[cfg(not(Py_3_14))]
#[cold]
fn remove(event_loop: &EventLoop) -> Result<()> {
    let tasks = globals().asyncio.current_tasks.as_ptr();
    // SAFETY: the dictionary and the loop are valid objects.
    unsafe {
        if ffi::PyDict_DelItem(tasks, event_loop.object().as_ptr()) < 0 {
            // Somebody removed it before, as nested loops do.
            if !matches(ExceptionClass::KeyError) {
                return Err(Raised);
            }
            clear(Raised);
        }
    }
    Ok(())
}

/// CPython 3.14 and later keep it in the thread's state.
#[cfg(Py_3_14)]
#[inline]
fn write(event_loop: &EventLoop, task: &Object) -> Result<()> {
    swap(&event_loop.object().get_or_none(), Some(task)).map(drop)
}

#[cfg(Py_3_14)]
fn remove(event_loop: &EventLoop) -> Result<()> {
    swap(&event_loop.object().get_or_none(), None).map(drop)
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

/// Runs `body` with `task` entered, as asyncio's own functions do it: for steps that are not called
/// by our loop's turn.
pub fn entered(task: &Object, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let asyncio = &globals().asyncio;
    let event_loop = Future::of(task).event_loop().get_or_none();
    let arguments = [event_loop.as_ptr(), task.as_ptr()];
    call_function(&asyncio.enter_task, &arguments)?;
    let outcome = body().map_err(greenloop_cpython::fetch);
    let left = call_function(&asyncio.leave_task, &arguments);
    match outcome {
        Ok(()) => left.map(drop),
        Err(exception) => {
            if left.is_err() {
                clear(Raised);
            }
            Err(greenloop_cpython::restore(exception))
        }
    }
}
