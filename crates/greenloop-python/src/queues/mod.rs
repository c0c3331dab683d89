//! asyncio's queues as Python sees them.
//!
//! Their decisions are made in [`greenloop_core::sync::Queue`]; here are their classes. A newcomer
//! reads `class`, then `queue` (the struct) and `waiting` (`put`, `get` and `join`), then the
//! parts: `items`, `maxsize`, `attributes`, `description`, `copying`, and `overrides`, which finds
//! the methods that a subclass replaces.

mod attributes;
mod class;
mod copying;
mod description;
mod items;
mod maxsize;
mod overrides;
mod queue;
mod waiting;

use greenloop_cpython::{Object, Result, call_function};
use queue::Face;

use crate::asyncio::globals;

pub use class::{make_class, make_lifo_class, make_priority_class};
pub use waiting::{stop_getting, try_to_get};

/// `Queue()`.
pub fn create() -> Result<Object> {
    call_function(&globals().classes.queue.object(), &[])
}

/// `queue.put_nowait(item)`, of a queue that [`create`] has made.
pub fn put_nowait(queue: &Object, item: Object) -> Result<()> {
    Face::of(queue)?.put_nowait(item)
}
