//! Scopes in which a task waits: `timeout`, `wait_for` and `TaskGroup`.
//!
//! A scope ends a task's wait from outside: when its time is up, or when a child has failed. It
//! requests the task's cancellation. When the cancellation leaves the scope, the scope takes the
//! request back and raises the exception that its user expects. Versions of asyncio, even patch
//! releases, differ in which cancellations count as the scope's own; where they do, the running
//! asyncio is inspected at import.
//!
//! - `timeout`: the class `Timeout`, `timeout()` and `timeout_at()`;
//! - `expiry`: a cancellation becomes a `TimeoutError`;
//! - `wait_for` of 3.12 and `wait_for_at_gate` of 3.11, and `cancel_and_wait` with its `gate`: for
//!   a single awaitable;
//! - `task_group`: the class `TaskGroup`.

mod cancel_and_wait;
mod expiry;
mod gate;
mod running_rules;
mod task_group;
mod timeout;
#[cfg(Py_3_12)]
mod wait_for;
#[cfg(not(Py_3_12))]
mod wait_for_at_gate;

pub use gate::make_class as make_gate_class;
pub use task_group::make_class as make_task_group_class;
pub use timeout::make_class as make_timeout_class;

use greenloop_cpython::{add_to_module, fast};
use pyo3::prelude::*;
use pyo3::types::PyModule;
use timeout::{timeout, timeout_at};
#[cfg(Py_3_12)]
use wait_for::wait_for;
#[cfg(not(Py_3_12))]
use wait_for_at_gate::wait_for;

/// Adds `timeout`, `timeout_at` and `wait_for` to the module.
pub fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let functions = vec![
        fast!(
            c"timeout",
            timeout,
            c"timeout(delay)\n--\n\n\
             Limit the body of an async with statement to delay seconds; None is no limit."
        ),
        fast!(
            c"timeout_at",
            timeout_at,
            c"timeout_at(when)\n--\n\n\
              Limit the body of an async with statement to a deadline on the loop's clock, in \
              seconds; None is no limit."
        ),
        fast!(
            c"wait_for",
            wait_for,
            c"wait_for(fut, timeout)\n--\n\n\
             Wait for fut and return its result; after timeout seconds cancel it and raise \
             TimeoutError."
        ),
    ];
    add_to_module(module, functions)
}
