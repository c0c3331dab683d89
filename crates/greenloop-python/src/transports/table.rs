//! `TransportTable`: the transport of each descriptor, so that nothing else watches it.
//!
//! Transports are held weakly: one without references has left the table. asyncio uses a
//! `WeakValueDictionary`, whose Python code costs more per connection than the system call that
//! accepts it.
//!
//! The dictionary's protocol is kept as far as asyncio and libraries use it: items by number,
//! `get`, `len` and iteration. A number that is no int, or out of range, is in no table.

use std::collections::HashMap;
use std::os::fd::RawFd;

use greenloop_cpython::making::{self, IntoObject};
use greenloop_cpython::{ExceptionClass, GilCell, Object, Raised, Result};
use pyo3::prelude::*;

/// A weak mapping from descriptors to transports. It lives in the loop's attribute `_transports`.
/// Numbers are reused by the system, and so are the entries: a new transport replaces the dead
/// reference of the one before.
#[pyclass(
    subclass,
    frozen,
    module = "greenloop._native",
    name = "TransportTable"
)]
pub struct TransportTable {
    /// Weak references. One to a transport that is gone stays until the number is used again, so
    /// there are never more than descriptors were open at once.
    references: GilCell<HashMap<RawFd, Object>>,
}

impl TransportTable {
    /// The transport that has the descriptor. `None` for a transport that was collected. One that
    /// is closed, but still referenced, is found: the caller asks `is_closing`.
    pub fn find(&self, number: RawFd) -> Option<Object> {
        let reference = self.references.with(|all| all.get(&number).cloned())?;
        reference.referent()
    }

    /// Has the transport found by the descriptor from now on, for as long as there is one. One weak
    /// reference and one insertion. The reference that is replaced is dropped outside of the
    /// borrow.
    ///
    /// # Errors
    /// `MemoryError`, or `TypeError` for an object that cannot be referenced weakly.
    pub fn enter(&self, number: RawFd, transport: &Object) -> Result<()> {
        let reference = making::weak_reference(transport)?;
        drop(self.references.with(|all| all.insert(number, reference)));
        Ok(())
    }
}

#[pymethods]
impl TransportTable {
    #[new]
    fn new() -> Self {
        Self {
            references: GilCell::new(HashMap::new()),
        }
    }

    /// # Errors
    /// `KeyError` for a number without a living transport.
    fn __getitem__(&self, number: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match self.find_any(number) {
            Some(transport) => Ok(transport.bound(number.py()).unbind()),
            None => Err(key_error(number)?.into()),
        }
    }

    fn __setitem__(&self, number: RawFd, transport: Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.enter(number, &Object::from(transport))?)
    }

    /// # Errors
    /// `KeyError` likewise; a dead reference is removed all the same.
    fn __delitem__(&self, number: RawFd) -> PyResult<()> {
        let removed = self.references.with(|all| all.remove(&number));
        match removed.as_ref().and_then(Object::referent) {
            Some(_) => Ok(()),
            None => Err(key_error(number)?.into()),
        }
    }

    /// Counts the living, in time linear in the entries.
    fn __len__(&self) -> usize {
        self.numbers().len()
    }

    /// Iterates over a snapshot, so that transports may come and go during the loop.
    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let numbers = self.numbers().into_iter().map(IntoObject::into_object);
        let numbers = making::list(numbers.collect::<Result<_>>()?)?;
        Ok(numbers.bound(py).try_iter()?.into_any().unbind())
    }

    /// Return the transport that has the descriptor `number`, or `default`.
    #[pyo3(signature = (number, default=None))]
    fn get(&self, number: &Bound<'_, PyAny>, default: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
        let transport = self.find_any(number);
        transport.map_or(default, |transport| {
            Some(transport.bound(number.py()).unbind())
        })
    }
}

/// The exception, with the key as its only argument, as a dict raises it.
fn key_error(key: impl IntoObject) -> Result<Raised> {
    making::raise_with(ExceptionClass::KeyError, (key,))
}

impl TransportTable {
    /// The transport that has a descriptor, if `number` can be one at all.
    fn find_any(&self, number: &Bound<'_, PyAny>) -> Option<Object> {
        let number = number.extract::<RawFd>().ok()?;
        self.find(number)
    }

    /// The descriptors that have a transport. The references are copied first, since asking one for
    /// its referent must not happen under the borrow: dropping the referent may run a finaliser,
    /// which may change the table.
    fn numbers(&self) -> Vec<RawFd> {
        let all: Vec<(RawFd, Object)> = self.references.with(|all| {
            let entries = all.iter();
            entries
                .map(|(number, reference)| (*number, reference.clone()))
                .collect()
        });
        let alive = all
            .iter()
            .filter(|(_, reference)| reference.referent().is_some());
        alive.map(|(number, _)| *number).collect()
    }
}
