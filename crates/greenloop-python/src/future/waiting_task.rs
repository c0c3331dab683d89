//! The questions of a future to the tasks that wait for it, asked only when code looks at the
//! future.
//!
//! Tasks are above futures, so the functions are handed in.

use std::sync::OnceLock;

use greenloop_cpython::{Object, Result, making};

/// The functions.
pub struct WaitingTask {
    /// The callback that `_callbacks` shows for a task, and its context.
    pub callback: fn(&Object) -> Result<(Object, Object)>,
    /// `_asyncio_awaited_by` of a future.
    #[cfg(Py_3_14)]
    pub awaited_by: fn(&Object) -> Result<Object>,
}

static WAITING_TASK: OnceLock<&'static WaitingTask> = OnceLock::new();

/// Hands the functions in. Called once, by the module's import.
pub fn set_waiting_task(functions: &'static WaitingTask) {
    let _ = WAITING_TASK.set(functions);
}

/// The functions; an error before they were handed in.
pub fn waiting_task() -> Result<&'static WaitingTask> {
    let functions = WAITING_TASK.get().copied();
    functions.ok_or_else(|| making::runtime_error("greenloop is not imported yet"))
}
