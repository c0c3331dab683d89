//! The stack at an object's creation, for the messages of debug mode.
//!
//! asyncio keeps it as `_source_traceback` on handles, futures and tasks, and its exception handler
//! prints it. To walk a stack is slow, so it is taken in debug mode only.

use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{GilOnce, Object, Result, attached};
use pyo3::prelude::*;

use super::globals::globals;

/// The file of the launcher, once it runs a program.
static LAUNCHER_FILE: GilOnce<Object> = GilOnce::new();

/// asyncio's `extract_stack()`, which begins where the program does: without the frames of the
/// launcher that started it, as an uncaught exception's traceback is.
///
/// A `traceback.StackSummary`, oldest frame first. As deep as `asyncio.constants.DEBUG_STACK_DEPTH`
/// says.
pub fn creation_stack() -> Result<Object> {
    let stack = globals().asyncio.extract_stack.call([])?;
    let Some(launcher) = launcher_file() else {
        return Ok(stack);
    };
    let py = attached();
    let (frames, launcher) = (stack.bound(py), launcher.bound(py));
    let mut outside = 0;
    for (index, frame) in frames.try_iter()?.enumerate() {
        if frame?.look_up("filename")?.eq(&launcher)? {
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
pub fn launcher_file() -> Option<&'static Object> {
    LAUNCHER_FILE.get()
}

/// Hand in the file of the launcher, beyond whose frames no stack goes. Called once, when it
/// starts.
#[pyfunction]
#[pyo3(name = "_set_launcher_file")]
pub fn set_launcher_file(file: Bound<'_, PyAny>) {
    LAUNCHER_FILE.keep(file.into());
}
