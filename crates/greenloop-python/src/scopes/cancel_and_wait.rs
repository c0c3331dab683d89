//! `_cancel_and_wait`: cancels a future and waits until it is done.
//!
//! It waits at a gate and not on the future itself, so the wait can be cancelled even if the future
//! ignores its own cancellation.
//!
//! ```text
//!    begin:  gate ◄── the future's notification      future.cancel()
//!            this waits at the gate
//!    later:  the future is done ──► gate opens ──► this resumes ──► end, then the result
//! ```
//! The callers are the two `wait_for`s, for a future without any time and for one that is late.

use greenloop_core::WaitList as _;
use greenloop_cpython::{
    Native, Object, Result, fetch, making, matches, raise_while_handling, restore,
};

use super::gate::{self, Gate, GateRef, OPEN_GATE};
use crate::asyncio::{globals, running_loop};
use crate::awaitable::{Awaitable, Progress};
use crate::future::{self, Future, notify_when_done, stop_notifying};
use crate::task;

/// Begins, as a step of `this`; its `value` is the gate from then on. `None` says that there is
/// nothing to wait for.
///
/// The caller owes an [`end`], whichever way the wait ends. Cancelling runs user code if the future
/// is of another class, and may complete it at once.
///
/// # Errors
/// Those of the future's `cancel`; the wait has ended then, and owes nothing.
pub fn begin(this: &Native<Awaitable>, future: &Object) -> Result<Option<Progress>> {
    let event_loop = running_loop()?;
    Awaitable::prepare_on(this, &event_loop)?;
    let gate = Gate::create(&event_loop)?;
    this.get().value().set(gate.clone().into_object());
    notify_when_done(future, &OPEN_GATE, &gate)?;
    show(&gate, future)?;
    if let Err(raised) = cancel_future(future) {
        let exception = fetch(raised);
        end(this, future)?;
        return Err(restore(exception));
    }
    if gate.get().opened.get() {
        return Ok(None);
    }
    gate.get().line.push(this);
    Ok(Some(Progress::Blocked))
}

/// Ends the wait, be it over or interrupted. Returns the gate.
///
/// The gate may carry the exception that an abandoned wait raises.
pub fn end(this: &Native<Awaitable>, future: &Object) -> Result<GateRef> {
    let gate = gate_of(this)?;
    gate.get().line.remove(this);
    stop_notifying(future, &OPEN_GATE, &gate)?;
    hide(&gate, future)?;
    Ok(gate)
}

/// The gate that the awaitable waits at, which is its `value`.
///
/// # Errors
/// `RuntimeError` if the garbage collector has cleared the awaitable.
pub fn gate_of(this: &Native<Awaitable>) -> Result<GateRef> {
    let value = this.get().value().get_or_none();
    let gate = gate::CLASS.exactly(&value).cloned();
    gate.ok_or_else(|| making::runtime_error("a wait has lost its gate"))
}

/// `future.result()`, where a cancellation becomes a `TimeoutError`.
///
/// asyncio's `try: return fut.result() except CancelledError as exc: raise TimeoutError from exc`.
/// A future that has ignored its cancellation returns its result all the same.
pub fn result_in_time(future: &Object) -> Result<Object> {
    result(future).map_err(|raised| {
        if !matches(&globals().asyncio.cancelled_error) {
            return raised;
        }
        let cancellation = fetch(raised);
        match super::expiry::timeout_error(&cancellation) {
            Ok(error) => raise_while_handling(error, &cancellation),
            Err(raised) => raised,
        }
    })
}

/// `future.result()`.
///
/// # Errors
/// The future's exception, or its cancellation.
pub fn result(future: &Object) -> Result<Object> {
    if let Some(future) = Future::native(future) {
        return future.get().outcome();
    }
    future.invoke(&globals().names.result, [])
}

/// Cancels a future, by its own method unless it is exactly one of ours.
fn cancel_future(future: &Object) -> Result<()> {
    if let Some(future) = future::CLASS.exactly(future) {
        return Future::cancel(future, None).map(drop);
    }
    task::cancel(future)
}

/// From 3.14.6 on: `asyncio.capture_call_graph()` shows the task that waits for the future.
fn show(gate: &GateRef, future: &Object) -> Result<()> {
    #[cfg(Py_3_14)]
    if crate::asyncio::edition::edition().graph.cancelling_is_shown {
        let task = task::current_task(None)?.unwrap_or_else(Object::none);
        let globals = globals();
        let futures = &globals.asyncio.futures;
        futures.invoke(&globals.names.add_to_awaited_by, [future, &task])?;
        gate.get().carried.set(task);
    }
    let _ = (gate, future);
    Ok(())
}

/// Takes the edge out again by which call graphs show that the task awaits `future`, from 3.14 on.
fn hide(gate: &GateRef, future: &Object) -> Result<()> {
    #[cfg(Py_3_14)]
    if let Some(task) = gate.get().carried.take() {
        let globals = globals();
        let futures = &globals.asyncio.futures;
        futures.invoke(&globals.names.discard_from_awaited_by, [future, &task])?;
    }
    let _ = (gate, future);
    Ok(())
}
