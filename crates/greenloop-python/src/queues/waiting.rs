//! `put`, `get` and `join`: the operations that wait.
//!
//! Each is an `Operation` on the queue. `start` and `resume` are the same function, since being
//! woken only means that it is worth to look again:
//!
//! ```text
//!               admitted                                     admitted
//!   created ───────────────► returned    in line ── woken ──────────────► returned
//!      │   not admitted                    ▲           │ not admitted
//!      └───────────────────────────────────┴───────────┘
//!                                          └── exception: leave, pass the wake-up on
//! ```
//! A waker takes the waiter out of the line (`pop_and_wake`), unlike that of a lock: it does not
//! keep its place.

use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_core::observe::WaitKind;
use greenloop_core::sync::Admission;
use greenloop_core::sync::Refusal;
use greenloop_cpython::{
    Arguments, Native, Object, Raised, Result, fetch, restore, set_context, type_error,
};

use super::overrides::Method;
use super::queue::{QueueRef, QueueStore, refused};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;
use crate::sync::EVENT;

/// The method `put`.
///
/// Nothing is put before the awaitable is awaited. The item is held by the awaitable until then.
///
/// # Errors
/// `TypeError` for wrong arguments, at once.
pub fn put(this: &QueueRef, arguments: Arguments<'_>) -> Result<Object> {
    Awaitable::create(&PUT, this, Some(item_of(arguments, c"Queue.put")?))
}

/// The argument of `put` and `put_nowait`.
///
/// A single positional argument takes no binding by name. `function` is named in the error.
#[inline]
pub fn item_of<'a>(arguments: Arguments<'a>, function: &'static CStr) -> Result<&'a Object> {
    match arguments.only() {
        Some(item) => Ok(item),
        None => bind_item(arguments, function),
    }
}

/// Out of line and cold, as hardly anybody writes `put(item=x)`.
#[cold]
fn bind_item<'a>(arguments: Arguments<'a>, function: &'static CStr) -> Result<&'a Object> {
    let [item] = arguments.bind(function, [&globals().names.item], 1, 1)?;
    item.ok_or_else(|| type_error("put() needs an item"))
}

/// The method `get`.
///
/// Nothing is taken before the awaitable is awaited: one that is dropped has taken no item.
pub fn get(this: &QueueRef) -> Result<Object> {
    Awaitable::create(&GET, this, None)
}

/// The method `join`.
///
/// Whether there is anything to wait for is decided when it is awaited.
pub fn join(this: &QueueRef) -> Result<Object> {
    Awaitable::create(&JOIN, this, None)
}

/// Being woken means to look again.
///
/// The item is in `value`, and taken out of it by the step that puts it in.
static PUT: Operation<QueueRef> = Operation {
    name: c"Queue.put",
    start: try_to_put,
    resume: try_to_put,
    interrupt: |this, queue, exception| {
        let outcome = give_up(this, queue, |store| {
            store.queue.logic.putter_gives_up(store, this)
        });
        Err(raise_again(exception, outcome))
    },
    waits: |_, queue| Some(Wait::on(WaitKind::QueuePut, &queue.get().number)),
    inside: |_| &[],
    behind: None,
};

/// Shared with `as_completed`, whose awaitables run the same steps on their own queue.
static GET: Operation<QueueRef> = Operation {
    name: c"Queue.get",
    start: try_to_get,
    resume: try_to_get,
    interrupt: stop_getting,
    waits: |_, queue| Some(Wait::on(WaitKind::QueueGet, &queue.get().number)),
    inside: |_| &[],
    behind: None,
};

/// An exception arrives while the awaitable waits for an item.
///
/// A wake-up that it had goes to the next getter, if there is an item for it.
///
/// # Errors
/// Always: `exception`, or that of passing the wake-up on.
pub fn stop_getting(
    this: &Native<Awaitable>,
    queue: &QueueRef,
    exception: Object,
) -> Result<Progress> {
    let outcome = give_up(this, queue, |store| {
        store.queue.logic.getter_gives_up(store, this)
    });
    Err(raise_again(exception, outcome))
}

/// A step of `put`: puts the item in if it is admitted, or waits in line for room.
///
/// asyncio's `while self.full()` loop, one turn of it for each step, followed by
/// `self.put_nowait(item)`, by name where that is replaced.
///
/// # Errors
/// `QueueShutDown` from Python 3.13 on, `RuntimeError` for a queue of another loop, and those of
/// replaced methods.
fn try_to_put(this: &Native<Awaitable>, queue: &QueueRef) -> Result<Progress> {
    let store = QueueStore::of(queue)?;
    let logic = &store.queue.logic;
    match logic.admit_putter(&store)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &store.queue.bound, queue)?;
            logic.putters.push(this);
            return Ok(Progress::Blocked);
        }
    }
    let item = this.get().value().take().unwrap_or_else(Object::none);
    if store.overrides.has(Method::PutNowait) {
        return ready(store.call_with(Method::PutNowait, &item)?);
    }
    store.put_nowait(item)?;
    ready(Object::none())
}

/// Takes an item out of the queue, or waits for one.
///
/// With an item at hand the task is not suspended and no other task runs.
///
/// # Errors
/// As for `put`; a queue that was shut down raises only once it is empty.
pub fn try_to_get(this: &Native<Awaitable>, queue: &QueueRef) -> Result<Progress> {
    let store = QueueStore::of(queue)?;
    let logic = &store.queue.logic;
    match logic.admit_getter(&store)? {
        Admission::Now => {}
        Admission::Never => return Err(refused(Refusal::ShutDown)),
        Admission::Wait => {
            Awaitable::prepare(this, &store.queue.bound, queue)?;
            logic.getters.push(this);
            return Ok(Progress::Blocked);
        }
    }
    if store.overrides.has(Method::GetNowait) {
        return ready(store.call(Method::GetNowait)?);
    }
    ready(store.get_nowait()?)
}

/// Ends the wait, which cancels one that was not woken, and runs the queue's reaction.
///
/// A waiter that was woken is cancelled in vain, and by that is told from one that was not: only
/// the woken one passes something on. asyncio's `getter.cancel()` in its `except` does the same.
fn give_up(
    this: &Native<Awaitable>,
    queue: &QueueRef,
    reaction: impl FnOnce(&QueueStore<'_>) -> Result<()>,
) -> Result<()> {
    Awaitable::cancel(this, None)?;
    reaction(&QueueStore::of(queue)?)
}

/// The exception that arrived, or the one of the reaction, which has it as its context.
///
/// This is what an error inside of an `except` block does in Python.
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
///
/// The number of unfinished items decides, and then the event's flag, as in asyncio's
/// `if self._unfinished_tasks > 0: await self._finished.wait()`. The waiter stands in the event's
/// line, without an awaitable of `Event.wait` between.
static JOIN: Operation<QueueRef> = Operation {
    name: c"Queue.join",
    start: |this, queue| {
        let store = QueueStore::of(queue)?;
        if !store.queue.logic.has_unfinished() {
            return ready(Object::none());
        }
        let finished = store.finished()?;
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
    waits: |_, queue| Some(Wait::on(WaitKind::QueueJoin, &queue.get().number)),
    inside: |_| &[c"Event.wait"],
    behind: None,
};

/// Leaves the line of the event that `join` waits for, after a cancellation.
///
/// An event wakes its waiters without taking them out of the line.
fn leave_finished(this: &Native<Awaitable>) {
    let finished = this.get().value().get_or_none();
    if let Some(event) = EVENT.instance(&finished) {
        event.get().state.leave(this);
    }
}
