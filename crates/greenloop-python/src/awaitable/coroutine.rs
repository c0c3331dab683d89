//! The test for a coroutine, as asyncio makes it.

use greenloop_cpython::{Object, Result};

use super::Awaitable;
use crate::asyncio::globals;

/// Whether a task can drive `object`: `asyncio.iscoroutine`, with a short cut for coroutines of
/// `async def`.
///
/// asyncio's function also says yes to instances of `collections.abc.Coroutine`, and remembers
/// their classes. It may run `__instancecheck__` of the program's.
pub fn is_coroutine(object: &Object) -> Result<bool> {
    if object.is_plain_coroutine() || Awaitable::is_native(object) {
        return Ok(true);
    }
    globals().asyncio.iscoroutine.call([object])?.is_true()
}
