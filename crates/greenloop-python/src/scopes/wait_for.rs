//! `wait_for` of 3.12 and later: `async with timeout(timeout): return await fut`, without the
//! `Timeout`.
//!
//! The awaited object runs as a part of the same task. If its first step completes it, no deadline
//! is set at all; else an [`Alarm`] cancels the task. The order of turns is that of the two scopes
//! in asyncio's source.

use greenloop_core::Instant;
use greenloop_cpython::{Arguments, Object, Result, fetch, raise_while_handling, restore};
use pyo3::ffi;

use super::cancel_and_wait;
use super::expiry;
use super::timeout;
use crate::asyncio::{globals, running_loop};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, exact_seconds, ready};
use crate::combinators::as_future;
use crate::future::{Future, event_loop_of};
use crate::scheduler::{Alarm, Bell, stepping};
use crate::task;

/// `wait_for(fut, timeout)`: the first is in `owner`, the second in `value` until it begins.
pub fn wait_for(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.fut, &names.timeout];
    let [future, timeout] = arguments.bind(c"wait_for", parameters, 2, 2)?;
    let none = Object::none();
    Awaitable::create(&WAIT_FOR, future.unwrap_or(&none), timeout)
}

static WAIT_FOR: Operation = Operation {
    name: c"wait_for",
    start,
    resume,
    interrupt,
    behind: None,
};

/// The step of a wait without a deadline.
const UNLIMITED: u8 = 1;
/// The step of a wait with an alarm, which is in `owner`; the task is in `waiter`.
const LIMITED: u8 = 2;
/// The step of a wait inside a `Timeout`, which is in `owner`: on a loop that is not ours.
const SCOPED: u8 = 3;
/// The step of a wait for a future, which is in `owner`, that was given no time and was cancelled.
const CANCELLING: u8 = 4;

/// A shorter delay is over before anything can be awaited. asyncio's `Timeout` makes a callback for
/// the next turn of it.
const INSTANT: f64 = 1e-6;

/// The first step: enters a timeout and awaits the future in it. Without a delay it only awaits.
fn start(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let future = awaitable.owner().get_or_none();
    let delay = awaitable.value().get_or_none();
    if delay.is_none() {
        running_loop()?;
        let task = task::current_task(None)?.ok_or_else(timeout::outside_of_a_task)?;
        task::cancelling(&task)?;
        awaitable.step().set(UNLIMITED);
        return go_on(delegate::begin(this, &future)?);
    }
    match exact_seconds(&delay) {
        Some(seconds) if seconds >= INSTANT => {
            if let Some(progress) = start_natively(this, &future, seconds) {
                return progress;
            }
        }
        Some(seconds) if seconds > 0.0 => {}
        None if !is_over(&delay)? => {}
        // Not a number is neither.
        Some(seconds) if seconds.is_nan() => {}
        _ => return start_without_time(this, &future),
    }
    let scope = timeout::create_after(&delay)?;
    timeout::enter(&scope)?;
    awaitable.owner().set(scope);
    awaitable.step().set(SCOPED);
    let begun = delegate::begin(this, &future);
    conclude(this, begun)
}

/// Starts in one of our tasks on our loop.
#[inline]
fn start_natively(this: &Object, future: &Object, seconds: f64) -> Option<Result<Progress>> {
    let task = stepping()?;
    let native = timeout::native_clock(&task)?;
    match task::current_task(None) {
        Ok(Some(current)) if current.is(task.as_ptr()) => {}
        Ok(_) => return None,
        Err(raised) => return Some(Err(raised)),
    }
    let deadline = Instant::new(native.now().as_secs() + seconds);
    let limit = || -> Result<Progress> {
        let requests = task::cancelling(&task)?;
        match delegate::begin(this, future)? {
            Delegated::Returned(value) => ready(value),
            Delegated::Waits(progress) => {
                let alarm = Alarm::at(native, deadline, &BELL, &task)?;
                Alarm::of(&alarm).set_requests(requests);
                let awaitable = Awaitable::of(this);
                awaitable.owner().set(alarm);
                awaitable.waiter().set(task.clone());
                awaitable.step().set(LIMITED);
                Ok(progress)
            }
        }
    };
    Some(limit())
}

/// How the alarm of a wait rings, and how it is shown.
static BELL: Bell = Bell {
    ring: task::cancel,
    shown: |task| {
        let callback = task.attribute(&globals().names.cancel)?;
        Ok((callback, event_loop_of(task)))
    },
};

/// `delay <= 0`, for an object that is neither a float nor a small int.
fn is_over(delay: &Object) -> Result<bool> {
    // SAFETY: both are valid objects.
    unsafe {
        let zero = Object::from_returned(ffi::PyLong_FromLong(0))?;
        let order = ffi::PyObject_RichCompare(delay.as_ptr(), zero.as_ptr(), ffi::Py_LE);
        Object::from_returned(order)?.is_true()
    }
}

/// Without any time: a result that is there already, or else a cancellation. A coroutine does not
/// begin.
fn start_without_time(this: &Object, future: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let future = as_future(future, None)?;
    if task::is_done(&future)? {
        return cancel_and_wait::result(&future).and_then(ready);
    }
    awaitable.owner().set(future.clone());
    awaitable.step().set(CANCELLING);
    match cancel_and_wait::begin(this, &future)? {
        Some(progress) => Ok(progress),
        None => finish_without_time(this),
    }
}

fn finish_without_time(this: &Object) -> Result<Progress> {
    let future = Awaitable::of(this).owner().get_or_none();
    cancel_and_wait::end(this, &future)?;
    cancel_and_wait::result_in_time(&future).and_then(ready)
}

fn resume(this: &Object) -> Result<Progress> {
    if Awaitable::of(this).step().get() == CANCELLING {
        return finish_without_time(this);
    }
    conclude(this, delegate::continue_with(this, None))
}

/// The task is cancelled: the exception goes to the future, and the timeout is left with the
/// outcome.
fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.step().get() == CANCELLING {
        cancel_and_wait::end(this, &awaitable.owner().get_or_none())?;
        return Err(restore(exception));
    }
    conclude(this, delegate::continue_with(this, Some(&exception)))
}

/// Handles the outcome of the awaited object: waits on, or leaves the scope around it.
#[inline]
fn conclude(this: &Object, outcome: Result<Delegated>) -> Result<Progress> {
    let exception = match outcome {
        Ok(Delegated::Waits(progress)) => return Ok(progress),
        Ok(Delegated::Returned(value)) => {
            leave(this, None)?;
            return ready(value);
        }
        Err(raised) => fetch(raised),
    };
    match leave(this, Some(&exception)) {
        Ok(()) => Err(restore(exception)),
        Err(raised) => Err(raise_while_handling(fetch(raised), &exception)),
    }
}

/// The work of `Timeout.__aexit__`.
#[inline]
fn leave(this: &Object, exception: Option<&Object>) -> Result<()> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let class = exception.map(Object::class_object);
    let raised = class.as_ref().zip(exception);
    match awaitable.step().get() {
        LIMITED => {
            let task = awaitable.waiter().get_or_none();
            let alarm = Alarm::of(&owner);
            alarm.silence(Future::of(&task).native_loop());
            if !alarm.has_rung() {
                return Ok(());
            }
            let left = task::uncancel(&task)?;
            match raised {
                Some((class, exception)) if left <= alarm.requests() => {
                    expiry::convert(class, exception)
                }
                _ => Ok(()),
            }
        }
        SCOPED => timeout::leave(&owner, raised),
        _ => Ok(()),
    }
}

fn go_on(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(value) => ready(value),
    }
}
