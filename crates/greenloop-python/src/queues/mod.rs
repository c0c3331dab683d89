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

use greenloop_cpython::{ClassCell, Object, Result, type_error};
use queue::Face;

pub use queue::{CLASS as QUEUE, Queue, QueueRef};
pub use waiting::{stop_getting, try_to_get};

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    class::make_class()?;
    class::make_lifo_class()?;
    class::make_priority_class()
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 3] {
    [
        ("Queue", &queue::CLASS),
        ("LifoQueue", &queue::LIFO_CLASS),
        ("PriorityQueue", &queue::PRIORITY_CLASS),
    ]
}

/// `Queue()`.
pub fn create() -> Result<QueueRef> {
    let queue = QUEUE.object().call([])?;
    let queue = QUEUE.instance(&queue).cloned();
    queue.ok_or_else(|| type_error("Queue() returned no queue"))
}

/// `queue.put_nowait(item)`, of a queue that [`create`] has made.
pub fn put_nowait(queue: &QueueRef, item: Object) -> Result<()> {
    Face::of(queue)?.put_nowait(item)
}
