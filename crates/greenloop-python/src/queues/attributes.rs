//! The attributes of a queue, most of them private to asyncio but read all the same.
//!
//! Programs look at `_queue` to inspect items, at `_unfinished_tasks` to show progress, and set
//! `_getters` and `_putters` in tests. Each is a descriptor on the native state; none is kept as an
//! object beside it, so both always agree.
//!
//! Where asyncio's attribute does not exist before `__init__`, reading it raises `AttributeError`
//! here as well.

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Attribute, Native, Object, Result, attribute, no_attribute, readonly};

use super::queue::{Queue, QueueRef};
use crate::sync::{EVENT, Waiters, create_set_event, replace_waiters};

/// The table of all of them.
pub fn attributes() -> Vec<Attribute<Queue>> {
    vec![
        readonly(c"maxsize", maxsize).documented(
            c"The number of items that the queue has room for; no limit if it is 0 or less.",
        ),
        attribute(c"_maxsize", maxsize, set_maxsize),
        attribute(c"_queue", items, set_items),
        attribute(c"_getters", getters, set_getters),
        attribute(c"_putters", putters, set_putters),
        attribute(c"_unfinished_tasks", unfinished, set_unfinished),
        readonly(c"_finished", finished),
        #[cfg(Py_3_13)]
        attribute(c"_is_shutdown", is_shut_down, set_shut_down),
        attribute(c"_loop", event_loop, set_event_loop),
    ]
}

/// The object that was given, of whatever type.
fn maxsize(this: &QueueRef) -> Result<Object> {
    let maxsize = this.get().maxsize.slot().get();
    maxsize.ok_or_else(|| no_attribute(this, "_maxsize"))
}

/// No putter is woken by a higher limit, as in asyncio. It cannot be deleted.
fn set_maxsize(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_maxsize"))?;
    this.get().maxsize.set(value.clone());
    Ok(())
}

/// The first read turns a native store into the object that is returned: see `items`.
fn items(this: &QueueRef) -> Result<Object> {
    this.get().items.object(this)
}

/// Any object is accepted; the queue calls its `append` and `popleft`, or `heapq` on it.
fn set_items(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    this.get().items.set_object(value);
    Ok(())
}

/// A view of the line, made anew for each read.
fn getters(this: &QueueRef) -> Result<Object> {
    Waiters::create(this, |queue| &queue.logic.getters)
}

/// Waiters that are not among the new ones are never woken; see `sync::replace_waiters`.
fn set_getters(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_getters"))?;
    replace_waiters(&this.get().logic.getters, Some(value))
}

fn putters(this: &QueueRef) -> Result<Object> {
    Waiters::create(this, |queue| &queue.logic.putters)
}

/// As for `_getters`.
fn set_putters(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_putters"))?;
    replace_waiters(&this.get().logic.putters, Some(value))
}

/// May be negative, if a program has set it so.
fn unfinished(this: &QueueRef) -> Result<Object> {
    this.get().logic.unfinished().get().into_object()
}

/// Sets the count of unfinished items, which may be any number that a C integer holds.
fn set_unfinished(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_unfinished_tasks"))?;
    let number = value.to_isize()?;
    this.get().logic.unfinished().set(number);
    Ok(())
}

/// Read-only: `join` relies on it being an event of ours.
fn finished(this: &QueueRef) -> Result<Object> {
    let finished = this.get().finished.get().map(Native::into_object);
    finished.ok_or_else(|| no_attribute(this, "_finished"))
}

/// Gives a copy its event. One of another class, as in the state of a queue of asyncio's, becomes
/// ours.
///
/// Only the flag is taken over from another class's event, not its waiters.
pub fn set_finished(this: &QueueRef, event: &Object) -> Result<()> {
    let event = if let Some(ours) = EVENT.instance(event) {
        ours.clone()
    } else {
        let is_set = event.invoke(&making::interned(c"is_set")?, [])?.is_true()?;
        let ours = create_set_event()?;
        if !is_set {
            ours.get().state.clear();
        }
        ours
    };
    this.get().finished.set(event);
    Ok(())
}

#[cfg(Py_3_13)]
fn is_shut_down(this: &QueueRef) -> Result<Object> {
    let shut_down = this.get().logic.shut_down_flag().get();
    Ok(Object::boolean(shut_down))
}

/// Sets or clears the flag alone; no waiter is woken, as in asyncio.
#[cfg(Py_3_13)]
fn set_shut_down(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_is_shutdown"))?;
    let shut_down = value.is_true()?;
    this.get().logic.shut_down_flag().set(shut_down);
    Ok(())
}

/// None until a `put` or `get` has blocked.
fn event_loop(this: &QueueRef) -> Result<Object> {
    Ok(this.get().bound.slot().get_or_none())
}

/// None and `del` unbind the queue.
fn set_event_loop(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none()).cloned();
    this.get().bound.slot().set_optional(value);
    Ok(())
}
