//! `asyncio.capture_call_graph()` (3.14+): which tasks await a future.
//!
//! asyncio writes an edge at each await. Ours are derived when somebody asks: a task that awaits one
//! of our futures stands among its callbacks.

#![cfg(Py_3_14)]

use pyo3::prelude::*;
use pyo3::types::PySet;

use crate::future::{Callback, Future};
use crate::interop::{Object, Result, globals};
use crate::scopes::parent_of;

/// `_asyncio_awaited_by`: the edges asyncio's own code wrote (gather, shield, TaskGroup, its C tasks)
/// and those of our waiting tasks; `None` if there are none.
pub fn awaited_by(this: &Object) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let base = globals().asyncio.future.bound(py);
    let written = base
        .getattr("_asyncio_awaited_by")?
        .call_method1("__get__", (this.bound(py),))?;
    let all = PySet::empty(py)?;
    if !written.is_none() {
        for waiter in written.try_iter()? {
            all.add(waiter?)?;
        }
    }
    for callback in Future::of(this).callbacks().to_vec() {
        let waiter = match callback {
            Callback::Wake(task) => Some(task),
            Callback::Notify { owner, .. } => parent_of(&owner),
            Callback::Call { .. } => None,
        };
        if let Some(task) = waiter {
            all.add(task.bound(py))?;
        }
    }
    if all.is_empty() {
        return Ok(Object::none());
    }
    Ok(pyo3::types::PyFrozenSet::new(py, all.iter())?
        .into_any()
        .into())
}
