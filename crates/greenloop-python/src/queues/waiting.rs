//! `put`, `get` and `join`: the operations that wait.

use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_core::sync::Admission;
use greenloop_core::sync::Refusal;
use greenloop_cpython::{
    Arguments, Native, Object, Raised, Result, fetch, restore, set_context, type_error,
};

use super::overrides::Method;
use super::queue::{Face, QueueRef, refused};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::sync::EVENT;

/// The method `put`.
pub fn put(this: &QueueRef, arguments: Arguments<'_>) -> Result<Object> {
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

/// The method `get`.
pub fn get(this: &QueueRef) -> Result<Object> {
    Awaitable::create(&GET, this, None)
}

/// The method `join`.
pub fn join(this: &QueueRef) -> Result<Object> {
    Awaitable::create(&JOIN, this, None)
}

/// Being woken means to look again.
static PUT: Operation<QueueRef> = Operation {
    name: c"Queue.put",
    start: try_to_put,
    resume: try_to_put,
    interrupt: |this, queue, exception| {
        let outcome = give_up(this, queue, |face| {
            face.queue.logic.putter_gives_up(face, this)
        });
        Err(raise_again(exception, outcome))
    },
    behind: None,
};

static GET: Operation<QueueRef> = Operation {
    name: c"Queue.get",
    start: try_to_get,
    resume: try_to_get,
    interrupt: stop_getting,
    behind: None,
};

/// An exception arrives while the awaitable waits for an item.
pub fn stop_getting(
    this: &Native<Awaitable>,
    queue: &QueueRef,
    exception: Object,
) -> Result<Progress> {
    let outcome = give_up(this, queue, |face| {
        face.queue.logic.getter_gives_up(face, this)
    });
    Err(raise_again(exception, outcome))
}

/// A step of `put`: puts the item in if it is admitted, or waits in line for room.
fn try_to_put(this: &Native<Awaitable>, queue: &QueueRef) -> Result<Progress> {
    let face = Face::of(queue)?;
    let logic = &face.queue.logic;
    match logic.admit_putter(&face)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &face.queue.bound, queue)?;
            logic.putters.push(this);
            return Ok(Progress::Blocked);
        }
    }
    let item = this.get().value().take().unwrap_or_else(Object::none);
    if face.overrides.has(Method::PutNowait) {
        return ready(face.call_with(Method::PutNowait, &item)?);
    }
    face.put_nowait(item)?;
    ready(Object::none())
}

/// Takes an item out of the queue, or waits for one.
pub fn try_to_get(this: &Native<Awaitable>, queue: &QueueRef) -> Result<Progress> {
    let face = Face::of(queue)?;
    let logic = &face.queue.logic;
    match logic.admit_getter(&face)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &face.queue.bound, queue)?;
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
fn give_up(
    this: &Native<Awaitable>,
    queue: &QueueRef,
    reaction: impl FnOnce(&Face<'_>) -> Result<()>,
) -> Result<()> {
    Awaitable::cancel(this, None)?;
    reaction(&Face::of(queue)?)
}

/// The exception that arrived, or the one of the reaction, which has it as its context.
fn raise_again(exception: Object, outcome: Result<()>) -> Raised {
    match outcome {
        Ok(()) => restore(exception),
        Err(raised) => {
            let later = fetch(raised);
            if !later.is(exception.as_ptr()) {
                set_context(&later, Some(exception));
            }
            restore(later)
        }
    }
}

/// Waits for the event `_finished`, which is in `value`. The event is bound to its own loop.
static JOIN: Operation<QueueRef> = Operation {
    name: c"Queue.join",
    start: |this, queue| {
        let face = Face::of(queue)?;
        if !face.queue.logic.has_unfinished() {
            return ready(Object::none());
        }
        let finished = face.finished()?;
        let event = finished.get();
        if event.state.is_set() {
            return ready(Object::none());
        }
        Awaitable::prepare(this, &event.bound, &finished)?;
        event.state.waiters.push(this);
        this.get().value().set(finished.into_object());
        Ok(Progress::Blocked)
    },
    resume: |this, _| {
        leave_finished(this);
        ready(Object::none())
    },
    interrupt: |this, _, exception| {
        leave_finished(this);
        Err(restore(exception))
    },
    behind: None,
};

/// Leaves the line of the event that `join` waits for, after a cancellation.
fn leave_finished(this: &Native<Awaitable>) {
    let finished = this.get().value().get_or_none();
    if let Some(event) = EVENT.instance(&finished) {
        event.get().state.leave(this);
    }
}
