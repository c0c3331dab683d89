//! The running loop, looked up as asyncio's Python code does: by the names in `asyncio.events`.
//!
//! Libraries such as trio-asyncio replace the functions behind these names. asyncio's own C code,
//! that of its Future and Task, bypasses them.
//!
//! So a coroutine's question is answered as the program would have it at the price of an attribute
//! and a call. A native step that knows its task does not ask (`awaitable/waiting.rs`).

use greenloop_cpython::Object;
use greenloop_cpython::Result;

use super::globals::globals;

/// `events.get_running_loop()`: raises if none runs.
///
/// A `RuntimeError`, with asyncio's text.
pub fn running_loop() -> Result<Object> {
    ask(&globals().names.get_running_loop)
}

/// `events._get_running_loop()`: `None` if none runs.
///
/// Python's None is meant, as an object.
pub fn running_loop_or_none() -> Result<Object> {
    ask(&globals().names.get_running_loop_or_none)
}

/// `events.get_event_loop()`: the running loop, or the policy's answer, with its warnings.
///
/// Outside a run this is code of the program, if it has set a policy, and raises a `RuntimeError`
/// where no loop is set.
pub fn current_loop() -> Result<Object> {
    ask(&globals().names.get_event_loop)
}

/// Calls a function of `asyncio.events` by its name, as `events.name()` does in Python.
fn ask(function: &Object) -> Result<Object> {
    globals().asyncio.events.invoke(function, [])
}
