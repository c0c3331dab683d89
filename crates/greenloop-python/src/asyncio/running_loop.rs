//! The running loop, looked up as asyncio's Python code does: by the names in `asyncio.events`.
//!
//! Libraries such as trio-asyncio replace the functions behind these names. asyncio's own C code,
//! that of its Future and Task, bypasses them.

use greenloop_cpython::Object;
use greenloop_cpython::Result;

use super::globals::globals;

/// `events.get_running_loop()`: raises if none runs.
pub fn running_loop() -> Result<Object> {
    ask(&globals().names.get_running_loop)
}

/// `events._get_running_loop()`: `None` if none runs.
pub fn running_loop_or_none() -> Result<Object> {
    ask(&globals().names.get_running_loop_or_none)
}

/// `events.get_event_loop()`: the running loop, or the policy's answer, with its warnings.
pub fn current_loop() -> Result<Object> {
    ask(&globals().names.get_event_loop)
}

fn ask(function: &Object) -> Result<Object> {
    globals().asyncio.events.invoke(function, [])
}
