//! What the primitives' classes share: the loop they are bound to, and how their waiters are shown.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::awaitable::{Awaitable, Line, LoopBound};
use crate::interop::{Object, Result};

/// A deque of those who wait, as `_waiters` shows them: futures, or awaitables that answer as such. It
/// is a copy.
pub fn as_deque(line: &Line) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let waiters = line.to_vec();
    let waiters = waiters
        .iter()
        .map(|waiter| Awaitable::shown(waiter).bound(py));
    let waiters = pyo3::types::PyList::new(py, waiters.collect::<Vec<_>>())?;
    let deque = py.import("collections")?.getattr("deque")?;
    Ok(deque.call1((waiters,))?.into())
}

/// `object.__repr__()` with the state and the number of waiters in brackets.
pub fn repr(this: &Object, state: &str, waiters: usize) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: `this` is valid; `object`'s own repr is always there.
    let plain = unsafe {
        let repr = ffi::PyBaseObject_Type.tp_repr;
        repr.map(|repr| Object::from_returned(repr(this.as_ptr())))
    };
    let plain = plain.transpose()?.unwrap_or_else(Object::none);
    let plain = plain.bound(py).to_string();
    let plain = plain.trim_start_matches('<').trim_end_matches('>');
    let waiters = if waiters > 0 {
        format!(", waiters:{waiters}")
    } else {
        String::new()
    };
    let text = format!("<{plain} [{state}{waiters}]>");
    Ok(pyo3::types::PyString::new(py, &text).into_any().into())
}

/// The loop a primitive is bound to, or None: its attribute `_loop`.
pub fn bound_loop(bound: &LoopBound) -> Object {
    bound.slot().get_or_none()
}

/// Sets `_loop`.
pub fn set_bound_loop(bound: &LoopBound, value: Option<&Object>) {
    let value = value.filter(|value| !value.is_none());
    bound.slot().set_optional(value.cloned());
}
