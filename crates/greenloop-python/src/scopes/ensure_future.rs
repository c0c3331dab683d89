//! `ensure_future` for native code.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::awaitable::Awaitable;
use crate::event_loop::EventLoop;
use crate::future::Future;
use crate::interop::{Arguments, Object, Result, globals};

/// `ensure_future(awaitable, loop=event_loop)`, for the running loop.
pub fn ensure_future(awaitable: &Object, event_loop: &Object) -> Result<Object> {
    if Future::is_native(awaitable)
        && Future::of(awaitable).event_loop().as_ptr() == event_loop.as_ptr()
    {
        return Ok(awaitable.clone());
    }
    // SAFETY: `awaitable` is a valid object.
    let exact = unsafe { ffi::PyCoro_CheckExact(awaitable.as_ptr()) } != 0;
    if exact || Awaitable::is_native(awaitable) {
        let positional = [awaitable.as_ptr()];
        // SAFETY: one positional argument, which the caller holds, and no keywords.
        let arguments = unsafe { Arguments::new(positional.as_ptr(), 1, std::ptr::null_mut()) };
        let task = EventLoop::of(event_loop)
            .and_then(|native| native.create_native_task(event_loop, &arguments));
        if let Some(task) = task {
            return task;
        }
    }
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let keywords = PyDict::new(py);
    keywords.set_item(globals().names.loop_.bound(py), event_loop.bound(py))?;
    let function = globals().asyncio.ensure_future.bound(py);
    Ok(function
        .call((awaitable.bound(py),), Some(&keywords))?
        .into())
}
