//! `put`, `get` and `join`: the operations that wait.

use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_core::sync::Admission;
use greenloop_core::sync::Refusal;
use greenloop_cpython::{Arguments, Object, Raised, Result, fetch, restore, type_error};
use pyo3::ffi;

use super::overrides::Method;
use super::queue::{Face, refused};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::sync::event_of;

pub fn put(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    Awaitable::create(&PUT, this, Some(item_of(arguments, c"Queue.put")?))
}

/// The argument of `put` and `put_nowait`.
#[inline]
pub fn item_of<'a>(arguments: Arguments<'a>, function: &'static CStr) -> Result<&'a Object> {
    match arguments.only() {
        Some(item) => Ok(item),
        None => bind_item(arguments, function),
    }
}

#[cold]
fn bind_item<'a>(arguments: Arguments<'a>, function: &'static CStr) -> Result<&'a Object> {
    let [item] = arguments.bind(function, [&globals().names.item], 1, 1)?;
    item.ok_or_else(|| type_error("put() needs an item"))
}

pub fn get(this: &Object) -> Result<Object> {
    Awaitable::create(&GET, this, None)
}

pub fn join(this: &Object) -> Result<Object> {
    Awaitable::create(&JOIN, this, None)
}

/// Being woken means to look again.
static PUT: Operation = Operation {
    name: c"Queue.put",
    start: try_to_put,
    resume: try_to_put,
    interrupt: |this, exception| {
        let outcome = give_up(this, |face| face.queue.logic.putter_gives_up(face, this));
        Err(raise_again(exception, outcome))
    },
    behind: None,
};

static GET: Operation = Operation {
    name: c"Queue.get",
    start: try_to_get,
    resume: try_to_get,
    interrupt: stop_getting,
    behind: None,
};

/// An exception arrives while the awaitable waits for an item.
pub fn stop_getting(this: &Object, exception: Object) -> Result<Progress> {
    let outcome = give_up(this, |face| face.queue.logic.getter_gives_up(face, this));
    Err(raise_again(exception, outcome))
}

/// A step of `put`: puts the item in if it is admitted, or waits in line for room.
fn try_to_put(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    // SAFETY: a step of an operation whose owner stays.
    let owner = unsafe { awaitable.owner_of_step() };
    let face = Face::of(&owner)?;
    let logic = &face.queue.logic;
    match logic.admit_putter(&face)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &face.queue.bound, &owner)?;
            logic.putters.push(this);
            return Ok(Progress::Blocked);
        }
    }
    let item = awaitable.value().take().unwrap_or_else(Object::none);
    if face.overrides.has(Method::PutNowait) {
        return ready(face.call_with(Method::PutNowait, &item)?);
    }
    face.put_nowait(item)?;
    ready(Object::none())
}

/// Takes an item out of the queue that is the awaitable's owner, or waits for one.
pub fn try_to_get(this: &Object) -> Result<Progress> {
    // SAFETY: a step of an operation whose owner stays.
    let owner = unsafe { Awaitable::of(this).owner_of_step() };
    let face = Face::of(&owner)?;
    let logic = &face.queue.logic;
    match logic.admit_getter(&face)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &face.queue.bound, &owner)?;
            logic.getters.push(this);
            return Ok(Progress::Blocked);
        }
    }
    if face.overrides.has(Method::GetNowait) {
        return ready(face.call(Method::GetNowait)?);
    }
    ready(face.get_nowait()?)
}

/// Ends the wait, which cancels one that was not woken, and runs the queue's reaction.
fn give_up(this: &Object, queue: impl FnOnce(&Face<'_>) -> Result<()>) -> Result<()> {
    Awaitable::cancel(this, None)?;
    let owner = Awaitable::of(this).owner().get_or_none();
    queue(&Face::of(&owner)?)
}

/// The exception that arrived, or the one of the reaction, which has it as its context.
fn raise_again(exception: Object, outcome: Result<()>) -> Raised {
    match outcome {
        Ok(()) => restore(exception),
        Err(raised) => {
            let later = fetch(raised);
            if !later.is(exception.as_ptr()) {
                // SAFETY: two exceptions; the reference to the context is given away.
                unsafe { ffi::PyException_SetContext(later.as_ptr(), exception.into_ptr()) };
            }
            restore(later)
        }
    }
}

/// Waits for the event `_finished`, which is in `value`. The event is bound to its own loop.
static JOIN: Operation = Operation {
    name: c"Queue.join",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        let face = Face::of(&owner)?;
        if !face.queue.logic.has_unfinished() {
            return ready(Object::none());
        }
        let finished = face.finished()?;
        let event = event_of(&finished);
        if event.state.is_set() {
            return ready(Object::none());
        }
        Awaitable::prepare(this, &event.bound, &finished)?;
        event.state.waiters.push(this);
        awaitable.value().set(finished);
        Ok(Progress::Blocked)
    },
    resume: |this| {
        leave_finished(this);
        ready(Object::none())
    },
    interrupt: |this, exception| {
        leave_finished(this);
        Err(restore(exception))
    },
    behind: None,
};

/// Leaves the line of the event that `join` waits for, after a cancellation.
fn leave_finished(this: &Object) {
    let finished = Awaitable::of(this).value().get_or_none();
    if !finished.is_none() {
        event_of(&finished).state.leave(this);
    }
}
