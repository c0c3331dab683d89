//! `wait_for` of 3.12 and later: `async with timeout(timeout): return await fut`, without the
//! `Timeout`.
//!
//! The awaited object runs as a part of the same task. If its first step completes it, no deadline
//! is set at all; else an [`Alarm`] cancels the task. The order of turns is that of the two scopes
//! in asyncio's source.
//!
//! ```text
//!    timeout is None                          UNLIMITED    only awaits
//!    timeout > 0, our loop and task ─┬ done at once        no timer is set
//!                                    └ waits  LIMITED      an alarm cancels the task
//!    timeout > 0, elsewhere or too short      SCOPED       a Timeout cancels the task
//!    timeout <= 0                             CANCELLING   the future is cancelled
//! ```
//! The step is what `resume` and `interrupt` decide by.

use greenloop_core::Instant;
use greenloop_cpython::{
    Anything, Arguments, Comparison, Native, Object, Result, fetch, raise_while_handling, restore,
};

use super::cancel_and_wait;
use super::expiry;
use super::timeout;
use crate::asyncio::{globals, running_loop};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, exact_seconds, ready};
use crate::combinators::as_future;
use crate::future::{self, event_loop_of, future_of};
use crate::scheduler::{ALARM, Alarm, Bell, stepping};
use crate::task;

/// `wait_for(fut, timeout)`: the first is in `owner`, the second in `value` until it begins.
///
/// Nothing is awaited and no time runs before the awaitable is awaited.
///
/// # Errors
/// `TypeError` for wrong names or numbers of arguments.
pub fn wait_for(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.fut, &names.timeout];
    let [future, timeout] = arguments.bind(c"wait_for", parameters, 2, 2)?;
    let none = Object::none();
    Awaitable::create(&WAIT_FOR, future.unwrap_or(&none), timeout)
}

/// The owner is the awaited object, of any class.
static WAIT_FOR: Operation = Operation {
    name: c"wait_for",
    start,
    resume: |this, _| resume(this),
    interrupt: |this, _, exception| interrupt(this, exception),
    waits: |_, _| None,
    inside: |this| match this.step().get() {
        CANCELLING => &[c"_cancel_and_wait"],
        _ => &[],
    },
    behind: None,
};

/// The step of a wait without a deadline.
///
/// 0 is a wait that has not begun.
const UNLIMITED: u8 = 1;
/// The step of a wait with an alarm, which is in `kept`; the task is in `waiter`.
const LIMITED: u8 = 2;
/// The step of a wait inside a `Timeout`, which is in `kept`: on a loop that is not ours.
const SCOPED: u8 = 3;
/// The step of a wait for a future, which is in `kept`, that was given no time and was cancelled.
const CANCELLING: u8 = 4;

/// A shorter delay is over before anything can be awaited. asyncio's `Timeout` makes a callback for
/// the next turn of it.
///
/// In seconds.
const INSTANT: f64 = 1e-6;

/// The first step: enters a timeout and awaits the future in it. Without a delay it only awaits.
///
/// # Errors
/// `RuntimeError` outside of a task or a loop, and those of the awaited object.
fn start(this: &Native<Awaitable>, future: &Object) -> Result<Progress> {
    let awaitable = this.get();
    let delay = awaitable.value().get_or_none();
    if delay.is_none() {
        running_loop()?;
        let task = task::current_task(None)?.ok_or_else(timeout::outside_of_a_task)?;
        task::cancelling(&task)?;
        awaitable.step().set(UNLIMITED);
        return go_on(delegate::begin(this, future)?);
    }
    match exact_seconds(&delay) {
        Some(seconds) if seconds >= INSTANT => {
            if let Some(progress) = start_natively(this, future, seconds) {
                return progress;
            }
        }
        Some(seconds) if seconds > 0.0 => {}
        None if !is_over(&delay)? => {}
        // Not a number is neither.
        Some(seconds) if seconds.is_nan() => {}
        _ => return start_without_time(this, future),
    }
    let scope = timeout::create_after(&delay)?;
    timeout::enter(&scope)?;
    awaitable.kept().set(scope.into_object());
    awaitable.step().set(SCOPED);
    let begun = delegate::begin(this, future);
    conclude(this, begun)
}

/// Starts in one of our tasks on our loop.
///
/// `None` says that it is not so, and that nothing has happened. The count of requests is read
/// before the first step of the awaited object, which may cancel the task.
#[inline]
fn start_natively(
    this: &Native<Awaitable>,
    future: &Object,
    seconds: f64,
) -> Option<Result<Progress>> {
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
                alarm.get().set_requests(requests);
                let awaitable = this.get();
                awaitable.kept().set(alarm.into_object());
                awaitable.set_waiting_task(task.clone());
                awaitable.step().set(LIMITED);
                Ok(progress)
            }
        }
    };
    Some(limit())
}

/// How the alarm of a wait rings, and how it is shown.
///
/// It cancels the task; the alarm remembers that it has rung, for `leave`.
static BELL: Bell = Bell {
    ring: task::cancel,
    shown: |task| {
        let callback = task.attribute(&globals().names.cancel)?;
        let future = future::NATIVE.instance(task);
        Ok((callback, future.map_or_else(Object::none, event_loop_of)))
    },
};

/// `delay <= 0`, for an object that is neither a float nor a small int.
fn is_over(delay: &Object) -> Result<bool> {
    let order = delay.compared(Comparison::LessOrEqual, &globals().zero)?;
    order.is_true()
}

/// Without any time: a result that is there already, or else a cancellation. A coroutine does not
/// begin.
///
/// # Errors
/// `TimeoutError`, unless the future has a result or another exception.
fn start_without_time(this: &Native<Awaitable>, future: &Object) -> Result<Progress> {
    let awaitable = this.get();
    let future = as_future(future, None)?;
    if task::is_done(&future)? {
        return cancel_and_wait::result(&future).and_then(ready);
    }
    awaitable.kept().set(future.clone());
    awaitable.step().set(CANCELLING);
    match cancel_and_wait::begin(this, &future)? {
        Some(progress) => Ok(progress),
        None => finish_without_time(this),
    }
}

/// Raises `TimeoutError` unless the future has a result or another exception.
fn finish_without_time(this: &Native<Awaitable>) -> Result<Progress> {
    let future = this.get().kept().get_or_none();
    cancel_and_wait::end(this, &future)?;
    cancel_and_wait::result_in_time(&future).and_then(ready)
}

/// The awaited object is continued, or the cancelled future has ended.
fn resume(this: &Native<Awaitable>) -> Result<Progress> {
    if this.get().step().get() == CANCELLING {
        return finish_without_time(this);
    }
    conclude(this, delegate::continue_with(this, None))
}

/// The task is cancelled: the exception goes to the future, and the timeout is left with the
/// outcome.
fn interrupt(this: &Native<Awaitable>, exception: Object) -> Result<Progress> {
    let awaitable = this.get();
    if awaitable.step().get() == CANCELLING {
        cancel_and_wait::end(this, &awaitable.kept().get_or_none())?;
        return Err(restore(exception));
    }
    conclude(this, delegate::continue_with(this, Some(&exception)))
}

/// Handles the outcome of the awaited object: waits on, or leaves the scope around it.
///
/// An error of leaving has the exception as its context, as one raised in `__aexit__` has.
#[inline]
fn conclude(this: &Native<Awaitable>, outcome: Result<Delegated>) -> Result<Progress> {
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
///
/// # Errors
/// `TimeoutError`, if the time was up and the cancellation is the timeout's own.
#[inline]
fn leave(this: &Native<Awaitable>, exception: Option<&Object>) -> Result<()> {
    let awaitable = this.get();
    let limit = awaitable.kept().get_or_none();
    let class = exception.map(Object::class_object);
    let raised = class.as_ref().zip(exception);
    match awaitable.step().get() {
        LIMITED => {
            let (Some(task), Some(alarm)) = (awaitable.task(), ALARM.exactly(&limit)) else {
                return Ok(());
            };
            let alarm = alarm.get();
            alarm.silence(future_of(&task).get().native_loop());
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
        SCOPED => match timeout::CLASS.instance(&limit) {
            Some(scope) => timeout::leave(scope, raised),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Without a deadline nothing has to be left.
fn go_on(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(value) => ready(value),
    }
}
