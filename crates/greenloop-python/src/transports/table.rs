//! `TransportTable`: the transport of each descriptor, so that nothing else watches it.
//!
//! Transports are held weakly: one without references has left the table. asyncio uses a
//! `WeakValueDictionary`, whose Python code costs more per connection than the system call that
//! accepts it.

use std::collections::HashMap;
use std::os::fd::RawFd;

use greenloop_cpython::making::{self, IntoObject};
use greenloop_cpython::{ExceptionClass, GilCell, Object, Raised, Result};
use pyo3::ffi;
use pyo3::prelude::*;

/// A weak mapping from descriptors to transports.
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

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl Send for TransportTable {}
// SAFETY: as above.
unsafe impl Sync for TransportTable {}

impl TransportTable {
    /// The transport that has the descriptor.
    pub fn find(&self, number: RawFd) -> Option<Object> {
        let reference = self.references.with(|all| all.get(&number).cloned())?;
        referent(&reference)
    }

    /// Has the transport found by the descriptor from now on, for as long as there is one.
    pub fn enter(&self, number: RawFd, transport: &Object) -> Result<()> {
        // SAFETY: returns a new reference or NULL with an exception set.
        let reference = unsafe {
            let reference = ffi::PyWeakref_NewRef(transport.as_ptr(), std::ptr::null_mut());
            Object::from_returned(reference)?
        };
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

    fn __getitem__(&self, number: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match self.find_any(number) {
            Some(transport) => Ok(transport.bound(number.py()).unbind()),
            None => Err(key_error(number)?.into()),
        }
    }

    fn __setitem__(&self, number: RawFd, transport: Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.enter(number, &Object::from(transport))?)
    }

    fn __delitem__(&self, number: RawFd) -> PyResult<()> {
        let removed = self.references.with(|all| all.remove(&number));
        match removed.as_ref().and_then(referent) {
            Some(_) => Ok(()),
            None => Err(key_error(number)?.into()),
        }
    }

    fn __len__(&self) -> usize {
        self.numbers().len()
    }

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

fn key_error(key: impl IntoObject) -> Result<Raised> {
    making::raise_with(ExceptionClass::KeyError, (key,))
}

impl TransportTable {
    /// The transport that has a descriptor, if `number` can be one at all.
    fn find_any(&self, number: &Bound<'_, PyAny>) -> Option<Object> {
        let number = number.extract::<RawFd>().ok()?;
        self.find(number)
    }

    /// The descriptors that have a transport.
    fn numbers(&self) -> Vec<RawFd> {
        let all: Vec<(RawFd, Object)> = self.references.with(|all| {
            let entries = all.iter();
            entries
                .map(|(number, reference)| (*number, reference.clone()))
                .collect()
        });
        let alive = all
            .iter()
            .filter(|(_, reference)| referent(reference).is_some());
        alive.map(|(number, _)| *number).collect()
    }
}

/// The object that a weak reference refers to, if it is still alive.
#[cfg(Py_3_13)]
fn referent(reference: &Object) -> Option<Object> {
    let mut found = std::ptr::null_mut();
    // SAFETY: it is a weak reference, and what is found is a new reference, or NULL.
    unsafe {
        ffi::PyWeakref_GetRef(reference.as_ptr(), &raw mut found);
        (!found.is_null()).then(|| Object::from_owned(found))
    }
}

/// The object that a weak reference refers to, if it is still alive.
#[cfg(not(Py_3_13))]
fn referent(reference: &Object) -> Option<Object> {
    // SAFETY: it is a weak reference; what is found is borrowed, and None if it is gone. One whose
    // destruction has begun, and which has no references any more, is not found.
    unsafe {
        let found = ffi::PyWeakref_GetObject(reference.as_ptr());
        let alive = found != ffi::Py_None() && ffi::Py_REFCNT(found) > 0;
        alive.then(|| Object::from_borrowed(found))
    }
}
