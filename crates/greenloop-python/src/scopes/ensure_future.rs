//! `ensure_future` for native code.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::awaitable::Awaitable;
use crate::event_loop::EventLoop;
use crate::future::{Future, event_loop_of};
use crate::interop::{Arguments, Object, Result, globals};
use crate::task;

/// `ensure_future(awaitable, loop=event_loop)`, for the running loop if none is given.
pub fn ensure_future(awaitable: &Object, event_loop: Option<&Object>) -> Result<Object> {
    if Future::is_native(awaitable) {
        let own = Future::of(awaitable).event_loop().as_ptr();
        if event_loop.is_none_or(|event_loop| event_loop.is(own)) {
            return Ok(awaitable.clone());
        }
    }
    let stepping = task::stepping().map(|task| event_loop_of(&task));
    if let Some(running) = event_loop.or(stepping.as_ref()) {
        if let Some(task) = create_task(awaitable, running) {
            return task;
        }
    }
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let keywords = PyDict::new(py);
    if let Some(event_loop) = event_loop {
        keywords.set_item(globals().names.loop_.bound(py), event_loop.bound(py))?;
    }
    let function = globals().asyncio.ensure_future.bound(py);
    Ok(function
        .call((awaitable.bound(py),), Some(&keywords))?
        .into())
}

/// A task of ours for a coroutine, if that is what asyncio would make.
fn create_task(coroutine: &Object, event_loop: &Object) -> Option<Result<Object>> {
    // SAFETY: `coroutine` is a valid object.
    let exact = unsafe { ffi::PyCoro_CheckExact(coroutine.as_ptr()) } != 0;
    if !exact && !Awaitable::is_native(coroutine) {
        return None;
    }
    let positional = [coroutine.as_ptr()];
    // SAFETY: one positional argument, which the caller holds, and no keywords.
    let arguments = unsafe { Arguments::new(positional.as_ptr(), 1, std::ptr::null_mut()) };
    EventLoop::of(event_loop)?.create_native_task(event_loop, &arguments)
}
