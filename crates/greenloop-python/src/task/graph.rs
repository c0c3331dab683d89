//! `asyncio.capture_call_graph()` (3.14+): the tasks that await a future.
//!
//! asyncio writes an edge at each await. For a plain future, ours are derived on request: a task
//! that awaits it is among its callbacks. Only an edge between two tasks is written, for other
//! processes (`base_fields`).

#![cfg(Py_3_14)]

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Native, Object, Result, attached};
use pyo3::prelude::*;

use crate::asyncio::globals;
use crate::future::{Callback, Future};

/// `_asyncio_awaited_by`: the edges asyncio's own code wrote (gather, shield, TaskGroup, its C
/// tasks) and those of our waiting tasks; `None` if there are none.
///
/// A frozen set, made at each call. A combinator's edge is that of the task which waits for the
/// combinator.
pub fn awaited_by(this: &Native<Future>) -> Result<Object> {
    let py = attached();
    let base = globals().asyncio.future.bound(py);
    let written = base
        .look_up(c"_asyncio_awaited_by")?
        .invoke_method(c"__get__", (this.bound(py),))?;
    let mut all = Vec::new();
    let mut add = |waiter: Object| all.push(waiter);
    if !written.is_none() {
        for waiter in written.try_iter()? {
            add(waiter?.into());
        }
    }
    for callback in this.get().callbacks().to_vec() {
        let waiter = match callback {
            Callback::Wake(task) => Some(task.into_object()),
            Callback::Notify { function, owner } => (function.parent)(&owner),
            Callback::Call { .. } => None,
        };
        if let Some(task) = waiter {
            add(task);
        }
    }
    if all.is_empty() {
        return Ok(Object::none());
    }
    Object::frozen_set(&making::list(all)?)
}
