//! `wait_for` of 3.11: a separate task for a coroutine, and a wait until it is done or time is up.
//!
//! ```text
//!               ┌ 1 the future is done ────────────────────────────► its result
//!   Waiting ────┼ 2 the deadline comes ──► Late ───────┐ cancels
//!               └ 3 cancelled ───────────► Abandoned ──┘ the future and waits for it,
//!                                             then raises TimeoutError, or what came in 3
//! ```

use greenloop_core::{Instant, WaitList as _};
use greenloop_cpython::{
    Arguments, Object, Result, call_method, fetch, raise_while_handling, restore,
};
use pyo3::ffi;

use super::cancel_and_wait;
use super::gate::{Gate, OPEN_GATE};
use super::timeout::native_clock;
use crate::asyncio::{globals, is_cancellation, running_loop};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, exact_seconds, ready};
use crate::combinators::{Home, as_future};
use crate::future::{notifier, notify_when_done, stop_notifying};
use crate::scheduler::{Alarm, Bell, Scheduler, stepping};
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
/// The step of a wait with one: the future is in `owner`, the gate in `value`.
const WAITING: u8 = 2;
/// The step after the deadline, or of a wait that was given no time: the future was cancelled.
const LATE: u8 = 3;
/// The step after a cancellation, which the gate carries: the future was cancelled too.
const ABANDONED: u8 = 4;

/// The first step: makes a future of the argument, and waits at a gate for it and for the timer.
fn start(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let event_loop = running_loop()?;
    let future = awaitable.owner().get_or_none();
    let delay = awaitable.value().get_or_none();
    if delay.is_none() {
        awaitable.step().set(UNLIMITED);
        return go_on(delegate::begin(this, &future)?);
    }
    if is_over(&delay)? {
        let future = as_future(&future, Some(&Home::new(event_loop.clone())))?;
        awaitable.owner().set(future.clone());
        if task::is_done(&future)? {
            return cancel_and_wait::result(&future).and_then(ready);
        }
        return start_late(this);
    }
    Awaitable::prepare_on(this, &event_loop)?;
    let gate = Gate::create(&event_loop)?;
    Gate::of(&gate)
        .timer
        .set(set_timer(&gate, &event_loop, &delay)?);
    let future = as_future(&future, Some(&Home::new(event_loop.clone())))?;
    awaitable.owner().set(future.clone());
    awaitable.value().set(gate.clone());
    awaitable.step().set(WAITING);
    notify_when_done(&future, &OPEN_GATE, &gate)?;
    if Gate::of(&gate).opened.get() {
        return resume(this);
    }
    Gate::of(&gate).line.push(this);
    Ok(Progress::Blocked)
}

/// `timeout <= 0`.
fn is_over(delay: &Object) -> Result<bool> {
    if let Some(seconds) = exact_seconds(delay) {
        return Ok(seconds <= 0.0);
    }
    // SAFETY: both are valid objects.
    unsafe {
        let zero = Object::from_returned(ffi::PyLong_FromLong(0))?;
        let order = ffi::PyObject_RichCompare(delay.as_ptr(), zero.as_ptr(), ffi::Py_LE);
        Object::from_returned(order)?.is_true()
    }
}

/// An alarm on our loop, else `event_loop.call_later`.
fn set_timer(gate: &Object, event_loop: &Object, delay: &Object) -> Result<Object> {
    let task = stepping();
    let native = task.as_ref().and_then(native_clock);
    if let (Some(native), Some(seconds)) = (native, exact_seconds(delay)) {
        let deadline = Instant::new(native.now().as_secs() + seconds);
        return Alarm::at(native, deadline, &BELL, gate);
    }
    let (release, none) = (notifier(&OPEN_GATE, gate)?, Object::none());
    let arguments = [event_loop, delay, &release, &none].map(Object::as_ptr);
    call_method(&globals().names.call_later, &arguments)
}

/// How the alarm of a wait rings, and how it is shown.
static BELL: Bell = Bell {
    ring: |gate| Gate::open(gate, gate),
    shown: |gate| {
        Ok((
            notifier(&OPEN_GATE, gate)?,
            Gate::of(gate).event_loop.get_or_none(),
        ))
    },
};

/// Cancels the timer, an alarm of ours or the handle of another loop.
fn cancel_timer(gate: &Object) -> Result<()> {
    let gate = Gate::of(gate);
    let Some(timer) = gate.timer.take() else {
        return Ok(());
    };
    if Alarm::is_alarm(&timer) {
        let event_loop = gate.event_loop.get_or_none();
        Alarm::of(&timer).silence(Scheduler::of(&event_loop));
        return Ok(());
    }
    call_method(&globals().names.cancel, &[timer.as_ptr()]).map(drop)
}

/// Cancels the future and waits for it, as the given step.
fn cancel_future(this: &Object, step: u8) -> Result<Option<Progress>> {
    let awaitable = Awaitable::of(this);
    awaitable.step().set(step);
    cancel_and_wait::begin(this, &awaitable.owner().get_or_none())
}

/// Begins to be late, and ends at once if there is nothing to wait for.
fn start_late(this: &Object) -> Result<Progress> {
    match cancel_future(this, LATE)? {
        Some(progress) => Ok(progress),
        None => finish_late(this),
    }
}

fn finish_late(this: &Object) -> Result<Progress> {
    let future = Awaitable::of(this).owner().get_or_none();
    cancel_and_wait::end(this, &future)?;
    cancel_and_wait::result_in_time(&future).and_then(ready)
}

/// A cancellation has come. It is raised again when the future is done.
fn start_abandoned(this: &Object, exception: Object) -> Result<Progress> {
    let while_handling = |raised| raise_while_handling(fetch(raised), &exception);
    let begun = cancel_future(this, ABANDONED).map_err(while_handling)?;
    if let Some(progress) = begun {
        let gate = Awaitable::of(this).value().get_or_none();
        Gate::of(&gate).carried.set(exception);
        return Ok(progress);
    }
    let future = Awaitable::of(this).owner().get_or_none();
    cancel_and_wait::end(this, &future)?;
    Err(restore(exception))
}

/// The gate was opened, or a cancelled future has ended: returns the result or goes on waiting.
fn resume(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let future = awaitable.owner().get_or_none();
    match awaitable.step().get() {
        WAITING => {
            if leave_gate(this, &future)? {
                return cancel_and_wait::result(&future).and_then(ready);
            }
            start_late(this)
        }
        LATE => finish_late(this),
        ABANDONED => {
            let gate = cancel_and_wait::end(this, &future)?;
            match Gate::of(&gate).carried.take() {
                Some(exception) => Err(restore(exception)),
                None => ready(Object::none()),
            }
        }
        _ => go_on(delegate::continue_with(this, None)?),
    }
}

/// The task is cancelled: returns the result if the future is done, or cancels the future and waits
/// for its end.
fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let future = awaitable.owner().get_or_none();
    match awaitable.step().get() {
        WAITING if is_cancellation(&exception) => {
            if leave_gate(this, &future)? {
                let result = cancel_and_wait::result(&future);
                return result
                    .map_err(|raised| raise_while_handling(fetch(raised), &exception))
                    .and_then(ready);
            }
            start_abandoned(this, exception)
        }
        WAITING => {
            let gate = awaitable.value().get_or_none();
            Gate::of(&gate).line.remove(this);
            cancel_timer(&gate)?;
            Err(restore(exception))
        }
        LATE => {
            cancel_and_wait::end(this, &future)?;
            Err(restore(exception))
        }
        ABANDONED => {
            let gate = cancel_and_wait::end(this, &future)?;
            match Gate::of(&gate).carried.take() {
                Some(handled) => Err(raise_while_handling(exception, &handled)),
                None => Err(restore(exception)),
            }
        }
        _ => go_on(delegate::continue_with(this, Some(&exception))?),
    }
}

/// Stops waiting and returns whether the future is done; if it is not, its callback is taken back.
///
/// asyncio cancels its timer at the very end. Until then it could only open the gate that was left.
fn leave_gate(this: &Object, future: &Object) -> Result<bool> {
    let gate = Awaitable::of(this).value().get_or_none();
    Gate::of(&gate).line.remove(this);
    let done = task::is_done(future)?;
    cancel_timer(&gate)?;
    if !done {
        stop_notifying(future, &OPEN_GATE, &gate)?;
    }
    Ok(done)
}

fn go_on(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(value) => ready(value),
    }
}
