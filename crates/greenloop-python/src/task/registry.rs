//! `asyncio.all_tasks()`: which tasks there are.
//!
//! Up to 3.13 asyncio keeps tasks in a `WeakSet`, at 314 ns a task. Ours stand in a vector instead,
//! which the Python side shows to asyncio through that very set (`greenloop.task_registry`). From 3.14
//! on asyncio's own list is as cheap, and knows our tasks because they derive from its class.

use crate::interop::{Object, Result};

#[cfg(not(Py_3_14))]
mod list {
    use std::sync::atomic::{AtomicBool, Ordering};

    use pyo3::ffi;
    use pyo3::prelude::*;

    use super::super::Task;
    use crate::interop::making::{self, ByName as _};
    use crate::interop::{GilCell, Object, Result};

    /// The pending tasks, borrowed: a task leaves the list before it dies.
    struct Pending(Vec<*mut ffi::PyObject>);

    // SAFETY: the pointers are used with the GIL held only.
    unsafe impl Send for Pending {}

    static PENDING: GilCell<Pending> = GilCell::new(Pending(Vec::new()));

    /// Set once asyncio's set shows this list.
    static SHOWN: AtomicBool = AtomicBool::new(false);

    pub fn register(this: &Object) -> Result<()> {
        if !SHOWN.load(Ordering::Relaxed) {
            SHOWN.store(true, Ordering::Relaxed);
            // SAFETY: the GIL is held.
            let py = unsafe { Python::assume_attached() };
            let shown = making::import(py, c"greenloop.task_registry")
                .and_then(|registry| registry.invoke_method(c"show_native_tasks", ()));
            if shown.is_err() {
                SHOWN.store(false, Ordering::Relaxed);
            }
            shown?;
        }
        let task = Task::of(this);
        if task.place.get() == 0 {
            let place = PENDING.with(|pending| {
                pending.0.push(this.as_ptr());
                pending.0.len()
            });
            task.place.set(place);
        }
        Ok(())
    }

    pub fn unregister(task: &Task) {
        let place = task.place.replace(0);
        if place == 0 {
            return;
        }
        PENDING.with(|pending| {
            pending.0.swap_remove(place - 1);
            if let Some(&moved) = pending.0.get(place - 1) {
                // SAFETY: what the list holds are live tasks of ours.
                unsafe { (*moved.cast::<Task>()).place.set(place) };
            }
        });
    }

    pub fn all() -> Result<Vec<Object>> {
        // SAFETY: what the list holds are live objects.
        let borrow = |&task: &*mut ffi::PyObject| unsafe { Object::from_borrowed(task) };
        Ok(PENDING.with(|pending| pending.0.iter().map(borrow).collect()))
    }
}

#[cfg(Py_3_14)]
mod list {
    use super::super::Task;
    use crate::interop::{Object, Result, call_function, globals};

    pub fn register(this: &Object) -> Result<()> {
        let task = Task::of(this);
        super::super::base_fields::fill(this, &task.coroutine, &task.name, task.number.get())?;
        call_function(&globals().asyncio.register_task, &[this.as_ptr()])?;
        task.place.set(1);
        Ok(())
    }

    pub fn unregister(this: &Object) -> Result<()> {
        if Task::of(this).place.replace(0) != 0 {
            call_function(&globals().asyncio.unregister_task, &[this.as_ptr()])?;
        }
        Ok(())
    }

    pub fn all() -> Result<Vec<Object>> {
        Ok(Vec::new())
    }
}

/// Has `all_tasks()` report the task.
pub fn register(this: &Object) -> Result<()> {
    list::register(this)
}

/// The task is done, or dies.
#[cfg_attr(
    not(Py_3_14),
    expect(clippy::unnecessary_wraps, reason = "fails from 3.14 on")
)]
pub fn unregister(this: &Object) -> Result<()> {
    #[cfg(Py_3_14)]
    list::unregister(this)?;
    #[cfg(not(Py_3_14))]
    list::unregister(super::Task::of(this));
    Ok(())
}

/// The task dies. From 3.14 on the base class sees to it.
pub fn forget(task: &super::Task) {
    #[cfg(not(Py_3_14))]
    list::unregister(task);
    #[cfg(Py_3_14)]
    let _ = task;
}

/// The tasks that asyncio does not know of by itself.
pub fn registered_tasks() -> Result<Vec<Object>> {
    list::all()
}
