//! The stack at an object's creation, for the messages of debug mode.

use greenloop_cpython::making::{ByName as _, imported};
use greenloop_cpython::{Object, Result, attached};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::globals::globals;

/// asyncio's `extract_stack()`, which begins where the program does: without the frames of the
/// launcher that started it, as an uncaught exception's traceback is.
pub fn creation_stack() -> Result<Object> {
    let stack = globals().asyncio.extract_stack.call([])?;
    let py = attached();
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
        stack.delete_slice(0, outside)?;
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
