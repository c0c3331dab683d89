//! The attributes of a queue, most of them private to asyncio but read all the same.

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

fn maxsize(this: &QueueRef) -> Result<Object> {
    let maxsize = this.get().maxsize.slot().get();
    maxsize.ok_or_else(|| no_attribute(this, "_maxsize"))
}

fn set_maxsize(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_maxsize"))?;
    this.get().maxsize.set(value.clone());
    Ok(())
}

fn items(this: &QueueRef) -> Result<Object> {
    this.get().items.object(this)
}

fn set_items(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    this.get().items.set_object(value);
    Ok(())
}

fn getters(this: &QueueRef) -> Result<Object> {
    Waiters::create(this, |queue| &queue.logic.getters)
}

fn set_getters(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_getters"))?;
    replace_waiters(&this.get().logic.getters, Some(value))
}

fn putters(this: &QueueRef) -> Result<Object> {
    Waiters::create(this, |queue| &queue.logic.putters)
}

fn set_putters(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_putters"))?;
    replace_waiters(&this.get().logic.putters, Some(value))
}

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

fn finished(this: &QueueRef) -> Result<Object> {
    let finished = this.get().finished.get().map(Native::into_object);
    finished.ok_or_else(|| no_attribute(this, "_finished"))
}

/// Gives a copy its event. One of another class, as in the state of a queue of asyncio's, becomes
/// ours.
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

fn event_loop(this: &QueueRef) -> Result<Object> {
    Ok(this.get().bound.slot().get_or_none())
}

fn set_event_loop(this: &QueueRef, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none()).cloned();
    this.get().bound.slot().set_optional(value);
    Ok(())
}
