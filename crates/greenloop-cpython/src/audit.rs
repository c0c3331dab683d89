//! Audit events (`sys.addaudithook`) of standard library functions that native code replaces.

use std::ffi::{CStr, c_char, c_int};

use pyo3::ffi;

use super::error::{Raised, Result};
use super::object::Object;

// PyO3 does not declare it.
unsafe extern "C" {
    fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;
}

/// `sys.audit(event, first, second)`, which costs next to nothing if there is no hook.
pub fn audit(event: &'static CStr, first: &Object, second: &Object) -> Result<()> {
    // SAFETY: the format says that two objects follow, which are valid.
    let outcome = unsafe {
        let (first, second): (*mut ffi::PyObject, _) = (first.as_ptr(), second.as_ptr());
        PySys_Audit(event.as_ptr(), c"OO".as_ptr(), first, second)
    };
    if outcome < 0 { Err(Raised) } else { Ok(()) }
}
