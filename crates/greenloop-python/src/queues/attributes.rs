//! The attributes of a queue, most of them private to asyncio but read all the same.

use greenloop_cpython::making::ByName as _;
use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{
    Getter, Object, Raised, Result, Setter, attached, attribute, is_raised, no_attribute,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::queue::Queue;
use crate::asyncio::globals;
use crate::sync::{Waiters, create_set_event, event_of, replace_waiters};

/// The table of all of them.
pub fn attributes() -> Vec<(&'static std::ffi::CStr, Getter, Option<Setter>)> {
    vec![
        attribute!(c"maxsize", maxsize),
        attribute!(c"_maxsize", maxsize, set_maxsize),
        attribute!(c"_queue", items, set_items),
        attribute!(c"_getters", getters, set_getters),
        attribute!(c"_putters", putters, set_putters),
        attribute!(c"_unfinished_tasks", unfinished, set_unfinished),
        attribute!(c"_finished", finished),
        #[cfg(Py_3_13)]
        attribute!(c"_is_shutdown", is_shut_down, set_shut_down),
        attribute!(c"_loop", event_loop, set_event_loop),
    ]
}

fn maxsize(this: &Object) -> Result<Object> {
    let maxsize = Queue::of(this).maxsize.slot().get();
    maxsize.ok_or_else(|| no_attribute(this, "_maxsize"))
}

fn set_maxsize(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_maxsize"))?;
    Queue::of(this).maxsize.set(value.clone());
    Ok(())
}

fn items(this: &Object) -> Result<Object> {
    Queue::of(this).items.object(this)
}

fn set_items(this: &Object, value: Option<&Object>) -> Result<()> {
    Queue::of(this).items.set_object(value);
    Ok(())
}

fn getters(this: &Object) -> Result<Object> {
    Waiters::create(this, |queue| &Queue::of(queue).logic.getters)
}

fn set_getters(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_getters"))?;
    replace_waiters(&Queue::of(this).logic.getters, Some(value))
}

fn putters(this: &Object) -> Result<Object> {
    Waiters::create(this, |queue| &Queue::of(queue).logic.putters)
}

fn set_putters(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_putters"))?;
    replace_waiters(&Queue::of(this).logic.putters, Some(value))
}

fn unfinished(this: &Object) -> Result<Object> {
    let unfinished = Queue::of(this).logic.unfinished().get();
    unfinished.into_object()
}

/// Sets the count of unfinished items, which may be any number that a C integer holds.
fn set_unfinished(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_unfinished_tasks"))?;
    // SAFETY: `value` is valid; -1 may be an error or itself.
    let number = unsafe { ffi::PyLong_AsSsize_t(value.as_ptr()) };
    if number == -1 && is_raised() {
        return Err(Raised);
    }
    Queue::of(this).logic.unfinished().set(number);
    Ok(())
}

fn finished(this: &Object) -> Result<Object> {
    let finished = Queue::of(this).finished.get();
    finished.ok_or_else(|| no_attribute(this, "_finished"))
}

/// Gives a copy its event. One of another class, as in the state of a queue of asyncio's, becomes
/// ours.
pub fn set_finished(this: &Object, event: &Object) -> Result<()> {
    let class = globals().classes.event.as_ptr();
    // SAFETY: both are valid.
    let is_ours = unsafe { ffi::PyObject_TypeCheck(event.as_ptr(), class) != 0 };
    let event = if is_ours {
        event.clone()
    } else {
        let py = attached();
        let is_set = event.bound(py).invoke_method(c"is_set", ())?.is_truthy()?;
        let ours = create_set_event()?;
        if !is_set {
            event_of(&ours).state.clear();
        }
        ours
    };
    Queue::of(this).finished.set(event);
    Ok(())
}

#[cfg(Py_3_13)]
fn is_shut_down(this: &Object) -> Result<Object> {
    let shut_down = Queue::of(this).logic.shut_down_flag().get();
    Ok(Object::boolean(shut_down))
}

/// Sets or clears the flag alone; no waiter is woken, as in asyncio.
#[cfg(Py_3_13)]
fn set_shut_down(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(|| no_attribute(this, "_is_shutdown"))?;
    let shut_down = value.is_true()?;
    Queue::of(this).logic.shut_down_flag().set(shut_down);
    Ok(())
}

fn event_loop(this: &Object) -> Result<Object> {
    Ok(Queue::of(this).bound.slot().get_or_none())
}

fn set_event_loop(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none()).cloned();
    Queue::of(this).bound.slot().set_optional(value);
    Ok(())
}
