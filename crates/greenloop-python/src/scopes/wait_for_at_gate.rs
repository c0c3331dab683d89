//! `wait_for` of 3.11: a separate task for a coroutine, and a wait until it is done or time is up.
//!
//! ```text
//!               ┌ 1 the future is done ────────────────────────────► its result
//!   Waiting ────┼ 2 the deadline comes ──► Late ───────┐ cancels
//!               └ 3 cancelled ───────────► Abandoned ──┘ the future and waits for it,
//!                                             then raises TimeoutError, or what came in 3
//! ```
//!
//! It is asyncio's `wait_for` of that release step by step: a waiter future, `_release_waiter` as
//! the callback of both timer and future, and `_cancel_and_wait`. So it takes the same number of
//! turns.

use greenloop_core::observe::WaitKind;
use greenloop_core::{Instant, WaitList as _};
use greenloop_cpython::{
    Anything, Arguments, Comparison, Native, Object, Result, fetch, raise_while_handling, restore,
};

use super::cancel_and_wait::{self, gate_of};
use super::gate::{self, Gate, GateRef, OPEN_GATE};
use super::timeout::native_clock;
use crate::asyncio::{globals, is_cancellation, running_loop};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, exact_seconds, ready};
use crate::combinators::{Home, as_future};
use crate::future::{notifier, notify_when_done, stop_notifying};
use crate::observing::Wait;
use crate::scheduler::{ALARM, Alarm, Bell, Scheduler, stepping};
use crate::task;

/// `wait_for(fut, timeout)`: the first is in `owner`, the second in `value` until it begins.
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
    waits: |_, _| Some(Wait::of(WaitKind::Timeout)),
    inside: |this| match this.step().get() {
        LATE | ABANDONED => &[c"_cancel_and_wait"],
        _ => &[],
    },
    behind: None,
};

/// The step of a wait without a deadline.
const UNLIMITED: u8 = 1;
/// The step of a wait with one: the future is in `kept`, the gate in `value`.
const WAITING: u8 = 2;
/// The step after the deadline, or of a wait that was given no time: the future was cancelled.
///
/// It ends with `TimeoutError`, unless the future has a result all the same.
const LATE: u8 = 3;
/// The step after a cancellation, which the gate carries: the future was cancelled too.
const ABANDONED: u8 = 4;

/// The first step: makes a future of the argument, and waits at a gate for it and for the timer.
///
/// The timer is set before the task is made, in asyncio's order; both are seen by the loop.
///
/// # Errors
/// `RuntimeError` without a loop, and those of making a task.
fn start(this: &Native<Awaitable>, future: &Object) -> Result<Progress> {
    let awaitable = this.get();
    let event_loop = running_loop()?;
    let delay = awaitable.value().get_or_none();
    if delay.is_none() {
        awaitable.step().set(UNLIMITED);
        return go_on(delegate::begin(this, future)?);
    }
    if is_over(&delay)? {
        let future = as_future(future, Some(&Home::new(event_loop.clone())))?;
        awaitable.kept().set(future.clone());
        if task::is_done(&future)? {
            return cancel_and_wait::result(&future).and_then(ready);
        }
        return start_late(this);
    }
    Awaitable::prepare_on(this, &event_loop)?;
    let gate = Gate::create(&event_loop)?;
    let timer = set_timer(&gate, &event_loop, &delay)?;
    gate.get().timer.set(timer);
    let future = as_future(future, Some(&Home::new(event_loop.clone())))?;
    awaitable.kept().set(future.clone());
    awaitable.value().set(gate.clone().into_object());
    awaitable.step().set(WAITING);
    notify_when_done(&future, &OPEN_GATE, &gate)?;
    if gate.get().opened.get() {
        return resume(this);
    }
    gate.get().line.push(this);
    Ok(Progress::Blocked)
}

/// `timeout <= 0`.
///
/// # Errors
/// Those of the comparison, for a delay of another class.
fn is_over(delay: &Object) -> Result<bool> {
    if let Some(seconds) = exact_seconds(delay) {
        return Ok(seconds <= 0.0);
    }
    let order = delay.compared(Comparison::LessOrEqual, &globals().zero)?;
    order.is_true()
}

/// An alarm on our loop, else `event_loop.call_later`.
///
/// Returns the timer, which the gate keeps. The delay is in seconds.
fn set_timer(gate: &GateRef, event_loop: &Object, delay: &Object) -> Result<Object> {
    let task = stepping();
    let native = task.as_deref().and_then(native_clock);
    if let (Some(native), Some(seconds)) = (native, exact_seconds(delay)) {
        let deadline = Instant::new(native.now().as_secs() + seconds);
        return Alarm::at(native, deadline, &BELL, gate).map(Native::into_object);
    }
    let (release, none) = (notifier(&OPEN_GATE, gate)?, Object::none());
    let call_later = &globals().names.call_later;
    event_loop.invoke(call_later, [delay, &release, &none])
}

/// How the alarm of a wait rings, and how it is shown.
///
/// It opens the gate for any task that waits there.
static BELL: Bell = Bell {
    ring: |gate| match gate::CLASS.exactly(gate) {
        Some(gate) => gate.get().open(),
        None => Ok(()),
    },
    shown: |gate| {
        let event_loop = gate::CLASS
            .exactly(gate)
            .and_then(|gate| gate.get().event_loop.get());
        let event_loop = event_loop.unwrap_or_else(Object::none);
        Ok((notifier(&OPEN_GATE, gate)?, event_loop))
    },
};

/// Cancels the timer, an alarm of ours or the handle of another loop.
///
/// Without a timer, or a second time, it does nothing.
fn cancel_timer(gate: &Gate) -> Result<()> {
    let Some(timer) = gate.timer.take() else {
        return Ok(());
    };
    if let Some(alarm) = ALARM.exactly(&timer) {
        let event_loop = gate.event_loop.get_or_none();
        alarm.get().silence(Scheduler::of(&event_loop));
        return Ok(());
    }
    timer.invoke(&globals().names.cancel, []).map(drop)
}

/// Cancels the future and waits for it, as the given step.
///
/// `None` says that the future is done already.
fn cancel_future(this: &Native<Awaitable>, step: u8) -> Result<Option<Progress>> {
    let awaitable = this.get();
    awaitable.step().set(step);
    cancel_and_wait::begin(this, &awaitable.kept().get_or_none())
}

/// Begins to be late, and ends at once if there is nothing to wait for.
fn start_late(this: &Native<Awaitable>) -> Result<Progress> {
    match cancel_future(this, LATE)? {
        Some(progress) => Ok(progress),
        None => finish_late(this),
    }
}

/// Raises `TimeoutError`, with the future's cancellation as its cause.
fn finish_late(this: &Native<Awaitable>) -> Result<Progress> {
    let future = this.get().kept().get_or_none();
    cancel_and_wait::end(this, &future)?;
    cancel_and_wait::result_in_time(&future).and_then(ready)
}

/// A cancellation has come. It is raised again when the future is done.
///
/// An error of cancelling has it as its context.
fn start_abandoned(this: &Native<Awaitable>, exception: Object) -> Result<Progress> {
    let while_handling = |raised| raise_while_handling(fetch(raised), &exception);
    let begun = cancel_future(this, ABANDONED).map_err(while_handling)?;
    if let Some(progress) = begun {
        gate_of(this)?.get().carried.set(exception);
        return Ok(progress);
    }
    let future = this.get().kept().get_or_none();
    cancel_and_wait::end(this, &future)?;
    Err(restore(exception))
}

/// The gate was opened, or a cancelled future has ended: returns the result or goes on waiting.
fn resume(this: &Native<Awaitable>) -> Result<Progress> {
    let awaitable = this.get();
    let future = awaitable.kept().get_or_none();
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
            match gate.get().carried.take() {
                Some(exception) => Err(restore(exception)),
                None => ready(Object::none()),
            }
        }
        _ => go_on(delegate::continue_with(this, None)?),
    }
}

/// The task is cancelled: returns the result if the future is done, or cancels the future and waits
/// for its end.
///
/// A second cancellation, while the future is being cancelled, ends the wait at once and leaves the
/// future to itself.
fn interrupt(this: &Native<Awaitable>, exception: Object) -> Result<Progress> {
    let awaitable = this.get();
    let future = awaitable.kept().get_or_none();
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
            let gate = gate_of(this)?;
            gate.get().line.remove(this);
            cancel_timer(gate.get())?;
            Err(restore(exception))
        }
        LATE => {
            cancel_and_wait::end(this, &future)?;
            Err(restore(exception))
        }
        ABANDONED => {
            let gate = cancel_and_wait::end(this, &future)?;
            match gate.get().carried.take() {
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
fn leave_gate(this: &Native<Awaitable>, future: &Object) -> Result<bool> {
    let gate = gate_of(this)?;
    gate.get().line.remove(this);
    let done = task::is_done(future)?;
    cancel_timer(gate.get())?;
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
