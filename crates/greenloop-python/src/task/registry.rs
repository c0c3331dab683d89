//! `asyncio.all_tasks()`: the registry of tasks.
//!
//! Up to 3.13 asyncio keeps tasks in a `WeakSet`, at 314 ns a task. Ours are in a vector instead,
//! which asyncio sees through that very set (`greenloop.task_registry`). From 3.14 on asyncio's own
//! list is as cheap, and contains our tasks because they derive from its class.
//!
//! A task is registered when it begins and leaves when it is done or deallocated; the registry
//! never holds a task alive. asyncio needs it for `all_tasks()`, with which `asyncio.run` cancels
//! what is left in the end.

use greenloop_cpython::{Native, Object, Result};
use pyo3::prelude::*;

use super::Task;

#[cfg(not(Py_3_14))]
mod list {
    use std::ptr::NonNull;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use greenloop_cpython::making::ByName as _;
    use greenloop_cpython::{GilCell, Native, Object, Result, attached};
    use pyo3::prelude::*;

    use super::super::Task;
    use crate::asyncio::globals;

    /// A task in the list, which is alive: it leaves the list before it dies.
    type Link = NonNull<Task>;

    /// The pending tasks, borrowed.
    static PENDING: GilCell<Vec<Link>> = GilCell::new(Vec::new());

    /// Set once asyncio's set shows this list.
    static SHOWN: AtomicBool = AtomicBool::new(false);

    /// The class that asyncio's set becomes to show it, handed in at import: while the interpreter
    /// ends, which may be when the first task is made, nothing can be imported any more.
    static TASK_SET: OnceLock<Py<PyAny>> = OnceLock::new();

    pub fn set_task_set(class: Py<PyAny>) {
        let _ = TASK_SET.set(class);
    }

    /// Makes our tasks visible to asyncio, unless a set of another class was put there. The set is
    /// asyncio's own `WeakSet`, which changes its class in place, so that references to it that
    /// others hold see ours as well.
    pub fn show() -> Result<()> {
        let Some(class) = TASK_SET
            .get()
            .filter(|_| !SHOWN.swap(true, Ordering::Relaxed))
        else {
            return Ok(());
        };
        let py = attached();
        let (class, names) = (class.bind(py), &globals().names);
        let tasks = globals().asyncio.tasks.attribute(&names.scheduled_tasks)?;
        let tasks = tasks.bound(py);
        if tasks.get_type().is(&class.look_up(c"__base__")?) {
            tasks.put(c"__class__", class)?;
        }
        Ok(())
    }

    pub fn register(this: &Native<Task>) -> Result<()> {
        if !SHOWN.load(Ordering::Relaxed) {
            show()?;
        }
        let task = this.get();
        if task.place.get() == 0 {
            let place = PENDING.with(|pending| {
                pending.push(NonNull::from(this.get()));
                pending.len()
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
            pending.swap_remove(place - 1);
            if let Some(moved) = pending.get(place - 1) {
                // SAFETY: the task that took the place is in the list, hence alive.
                unsafe { moved.as_ref() }.place.set(place);
            }
        });
    }

    pub fn all() -> Result<Vec<Object>> {
        // SAFETY: what is in the list is alive.
        let borrow = |task: &Link| unsafe { Native::carrying(task.as_ptr()) }.into_object();
        Ok(PENDING.with(|pending| pending.iter().map(borrow).collect()))
    }
}

#[cfg(Py_3_14)]
mod list {
    use greenloop_cpython::{Native, Object, Result};

    use super::super::Task;
    use crate::asyncio::globals;

    pub fn register(this: &Native<Task>) -> Result<()> {
        let task = this.get();
        super::super::base_fields::fill(this, &task.name, task.number.get())?;
        globals().asyncio.register_task.call([this])?;
        task.place.set(1);
        Ok(())
    }

    pub fn unregister(this: &Native<Task>) -> Result<()> {
        if this.get().place.replace(0) != 0 {
            super::super::base_fields::forget_waiters(this);
            globals().asyncio.unregister_task.call([this])?;
        }
        Ok(())
    }

    pub fn all() -> Result<Vec<Object>> {
        Ok(Vec::new())
    }
}

/// Hand in the class that shows our tasks to asyncio. Called once, by the package's import, up to
/// 3.13.
#[pyfunction]
#[pyo3(name = "_set_task_set", text_signature = "(task_set)")]
pub fn set_task_set(class: Py<PyAny>) {
    #[cfg(not(Py_3_14))]
    list::set_task_set(class);
    #[cfg(Py_3_14)]
    drop(class);
}

/// Make our tasks visible to asyncio, if it does not know them by itself.
#[pyfunction]
#[pyo3(name = "_show_native_tasks")]
pub fn show_native_tasks() -> PyResult<()> {
    #[cfg(not(Py_3_14))]
    list::show()?;
    Ok(())
}

/// Has `all_tasks()` report the task.
///
/// A task that is registered already stays where it is. The first of all makes asyncio look into
/// our list.
pub fn register(this: &Native<Task>) -> Result<()> {
    list::register(this)
}

/// The task is done, or is being deallocated.
///
/// Constant time: the last task of the list takes the place.
#[cfg_attr(
    not(Py_3_14),
    expect(clippy::unnecessary_wraps, reason = "fails from 3.14 on")
)]
pub fn unregister(this: &Native<Task>) -> Result<()> {
    #[cfg(Py_3_14)]
    list::unregister(this)?;
    #[cfg(not(Py_3_14))]
    list::unregister(this.get());
    Ok(())
}

/// The task is being deallocated. From 3.14 on the base class handles that.
pub fn forget(task: &Task) {
    #[cfg(not(Py_3_14))]
    list::unregister(task);
    #[cfg(Py_3_14)]
    let _ = task;
}

/// The tasks that asyncio does not know of by itself.
///
/// In no particular order, of all loops. From 3.14 on there are none, since asyncio's own list has
/// ours.
pub fn registered_tasks() -> Result<Vec<Object>> {
    list::all()
}
