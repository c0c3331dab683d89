//! Where something is made, for the messages of debug mode.

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::call::call_function;
use super::error::{Raised, Result};
use super::globals::globals;
use super::making::{self, ByName as _};
use super::object::Object;

/// asyncio's `extract_stack()`, which begins where the program does: without the frames of the
/// launcher that started it, as an uncaught exception's traceback is.
pub fn creation_stack() -> Result<Object> {
    let stack = call_function(&globals().asyncio.extract_stack, &[])?;
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let Some(file) = launcher_file(py)? else {
        return Ok(stack);
    };
    let frames = stack.bound(py);
    let mut outside = 0;
    for (index, frame) in frames.try_iter()?.enumerate() {
        if frame?.look_up("filename")?.eq(&file)? {
            outside = index + 1;
        }
    }
    if outside > 0 {
        // SAFETY: the stack is asyncio's, a list; a null value deletes.
        let code =
            unsafe { ffi::PySequence_DelSlice(stack.as_ptr(), 0, outside as ffi::Py_ssize_t) };
        if code < 0 {
            return Err(Raised);
        }
    }
    Ok(stack)
}

/// The file of the launcher, if one runs the program: no stack that a program sees goes beyond its
/// frames.
///
/// Nothing is imported for it: while the interpreter ends, that is no longer possible.
pub fn launcher_file(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(launcher) = imported(py, c"greenloop.launcher")? else {
        return Ok(None);
    };
    let launcher = launcher.cast::<PyModule>();
    launcher.map_or(Ok(None), |launcher| Ok(Some(launcher.look_up("__file__")?)))
}

/// The module of that name, if it has been imported and the interpreter has not forgotten it yet.
pub fn imported<'py>(py: Python<'py>, name: &CStr) -> Result<Option<Bound<'py, PyAny>>> {
    let name = making::interned(name)?;
    // SAFETY: the dictionary is borrowed, and null when the interpreter has ended; what it holds
    // under the name is borrowed as well, or null.
    unsafe {
        let modules = ffi::PyImport_GetModuleDict();
        if modules.is_null() {
            return Ok(None);
        }
        let module = ffi::PyDict_GetItemWithError(modules, name.as_ptr());
        if module.is_null() {
            return if ffi::PyErr_Occurred().is_null() {
                Ok(None)
            } else {
                Err(Raised)
            };
        }
        Ok(Some(Object::from_borrowed(module).bound(py)))
    }
}
