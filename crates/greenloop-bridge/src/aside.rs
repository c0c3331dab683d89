//! Runs code while an exception of somebody else's is set.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

/// Runs `call`, which must not unwind, with no exception set, and puts back the one that was.
///
/// `PyErr::take` would not do: it goes on with a panic of which pyo3 made an exception.
#[allow(
    deprecated,
    reason = "the functions that replace these do not exist before 3.12"
)]
pub fn with_exception_aside<R>(_py: Python<'_>, call: impl FnOnce() -> R) -> R {
    let (mut class, mut value, mut traceback) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the GIL is held, and the references go back to where they came from.
    unsafe {
        ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
        let result = call();
        ffi::PyErr_Restore(class, value, traceback);
        result
    }
}
