//! The test for a coroutine, as asyncio makes it.

use greenloop_cpython::{Object, Result, call_function};
use pyo3::ffi;

use super::globals::globals;

/// Whether a task can drive `object`: `asyncio.iscoroutine`, with a short cut for coroutines of
/// `async def`.
pub fn is_coroutine(object: &Object) -> Result<bool> {
    // SAFETY: `object` is valid.
    let exact = unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) } != 0;
    if exact || object.is_exactly(globals().classes.awaitable.as_ptr()) {
        return Ok(true);
    }
    call_function(&globals().asyncio.iscoroutine, &[object.as_ptr()])?.is_true()
}
