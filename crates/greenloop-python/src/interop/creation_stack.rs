//! Where something is made, for the messages of debug mode.

use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::call::call_function;
use super::error::Result;
use super::globals::globals;
use super::making::{self, ByName as _};
use super::object::Object;

/// asyncio's `extract_stack()`, which begins where the program does: without the frames of the launcher
/// that started it, as an uncaught exception's traceback is.
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
        frames.del_item(pyo3::types::PySlice::new(py, 0, outside as isize, 1))?;
    }
    Ok(stack)
}

/// The file of the launcher, if one runs the program: no stack that a program sees goes beyond its frames.
pub fn launcher_file(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let modules = making::import(py, c"sys")?.look_up("modules")?;
    let launcher = modules.invoke_method("get", ("greenloop.launcher",))?;
    let launcher = launcher.cast::<PyModule>();
    launcher.map_or(Ok(None), |launcher| Ok(Some(launcher.look_up("__file__")?)))
}
