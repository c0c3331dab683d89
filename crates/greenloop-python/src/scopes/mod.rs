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
//! - `wait_for` of 3.12 and later and `wait_for_at_gate` of 3.11, and `cancel_and_wait` with its
//!   `gate`: for a single awaitable;
//! - `task_group`: the class `TaskGroup`.
//!
//! ```text
//!    the scope            requests: task.cancel()          cancelling() is 1 more
//!    the task             CancelledError leaves the body
//!    the scope's exit     takes back: task.uncancel()      left <= before ? its own : another's
//! ```
//! The count of requests (`Task.cancelling()`) tells the scope's own cancellation from another's:
//! if no more are left than when a timeout was entered, nobody else has asked, and the scope turns
//! the exception into its own. Otherwise the `CancelledError` goes on. A group compares with 0.

mod cancel_and_wait;
mod expiry;
mod gate;
mod task_group;
mod timeout;
#[cfg(Py_3_12)]
mod wait_for;
#[cfg(not(Py_3_12))]
mod wait_for_at_gate;

use greenloop_cpython::{ClassCell, Function, Object, Result, fast};
use timeout::{timeout, timeout_at};
#[cfg(Py_3_12)]
use wait_for::wait_for;
#[cfg(not(Py_3_12))]
use wait_for_at_gate::wait_for;

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    gate::make_class()?;
    timeout::make_class()?;
    task_group::make_class()?;
    #[cfg(not(Py_3_14))]
    for class in replaceable_classes() {
        greenloop_cpython::bind_entering_cheaply(&class.object())?;
    }
    Ok(())
}

/// Which task group an observer knows this object as, if it is one that it knows.
pub fn number_of(object: &Object) -> Option<u32> {
    let group = task_group::CLASS.instance(object)?;
    Some(group.get().number.known())
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 2] {
    [
        ("Timeout", &timeout::CLASS),
        ("TaskGroup", &task_group::CLASS),
    ]
}

/// The classes whose methods programs may replace, which short cuts look out for.
pub fn replaceable_classes() -> [&'static ClassCell; 2] {
    [&timeout::CLASS, &task_group::CLASS]
}

/// `timeout`, `timeout_at` and `wait_for`.
pub fn functions() -> Vec<Function> {
    vec![
        fast(
            c"timeout",
            timeout,
            c"timeout(delay)\n--\n\n\
             Limit the body of an async with statement to delay seconds; None is no limit.",
        ),
        fast(
            c"timeout_at",
            timeout_at,
            c"timeout_at(when)\n--\n\n\
              Limit the body of an async with statement to a deadline on the loop's clock, in \
              seconds; None is no limit.",
        ),
        fast(
            c"wait_for",
            wait_for,
            c"wait_for(fut, timeout)\n--\n\n\
             Wait for fut and return its result; after timeout seconds cancel it and raise \
             TimeoutError.",
        ),
    ]
}
