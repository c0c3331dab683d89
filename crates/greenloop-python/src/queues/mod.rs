//! asyncio's queues as Python sees them.
//!
//! Their decisions are made in [`greenloop_core::sync::Queue`]; here are their classes. A newcomer
//! reads `class`, then `queue` (the struct) and `waiting` (`put`, `get` and `join`), then the
//! parts: `items`, `maxsize`, `attributes`, `description`, `copying`, and `overrides`, which finds
//! the methods that a subclass replaces.
//!
//! ```text
//!   put(item) ──► admit_putter: room? ── yes ──► put_nowait ──► Store::put, wake a getter
//!                      │ no
//!                      └──► line of putters ──► woken: look again
//!   get()     ──► admit_getter: an item? ─ yes ──► get_nowait ──► Store::take, wake a putter
//!                      │ no
//!                      └──► line of getters ──► woken: look again
//! ```
//! A woken waiter owns nothing: another task may come first, and then it waits again, at the end of
//! the line, as in asyncio (`asyncio.queues`). An item is in the store until a getter takes it, so
//! a cancellation cannot lose one.
//!
//! asyncio's queue calls its own methods, and subclasses replace them. Where none is replaced,
//! which `overrides` finds out, no method of Python's is called at all.

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
use queue::QueueStore;

pub use queue::{CLASS as QUEUE, Queue, QueueRef};
pub use waiting::{stop_getting, try_to_get};

/// Makes the classes of this room.
///
/// `Queue` first, the base of the other two.
pub fn make_classes() -> Result<()> {
    class::make_class()?;
    class::make_lifo_class()?;
    class::make_priority_class()
}

/// Which queue an observer knows this object as, if it is one that it knows.
pub fn number_of(object: &Object) -> Option<u32> {
    let queue = QUEUE.instance(object)?;
    Some(queue.get().number.known())
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
///
/// The class is called as Python would, so that a replaced `__init__` is respected.
///
/// # Errors
/// Those of the constructor, and `TypeError` if it returns something else.
pub fn create() -> Result<QueueRef> {
    let queue = QUEUE.object().call([])?;
    let queue = QUEUE.instance(&queue).cloned();
    queue.ok_or_else(|| type_error("Queue() returned no queue"))
}

/// `queue.put_nowait(item)`, of a queue that [`create`] has made.
///
/// # Errors
/// `QueueFull`, if a program has given the queue a limit, and those of replaced methods.
pub fn put_nowait(queue: &QueueRef, item: Object) -> Result<()> {
    QueueStore::of(queue)?.put_nowait(item)
}
