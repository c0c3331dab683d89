//! `shield`: a future that takes its result from another one, and is cancelled in its stead.
//!
//! ```text
//!   inner ── inner_is_done ──► outer
//!   outer ── outer_is_done ──► inner: takes the first one back
//! ```
//! Each notification owns the other future, so that a shielded task lives as long as a task waits
//! for it.
//!
//! A cancellation of the outer future leaves the inner one alone: `outer_is_done` only takes the
//! notification back. A cancellation of the inner one is passed on as a cancellation.

use greenloop_cpython::{Anything, Arguments, Native, Object, Result, making, type_error};

use super::ensure_future::as_future;
use super::{awaited_by, fail_without_memory};
use crate::any_future;
use crate::asyncio::edition::edition;
use crate::asyncio::globals;
use crate::future::{notify_when_done, stop_notifying};
use crate::scheduler::Notification;

/// `shield(arg)`.
///
/// A future that is done is returned as it is: there is nothing to shield. A coroutine becomes a
/// task at once, on the running loop. After a cancellation nobody but the program keeps that task
/// alive, as asyncio's documentation warns.
///
/// # Errors
/// Those of `ensure_future`.
pub fn shield(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let [argument] = arguments.bind(c"shield", [&globals().names.arg], 1, 1)?;
    let Some(argument) = argument else {
        return Err(type_error("shield() missing 1 required argument: 'arg'"));
    };
    let inner = as_future(argument, None)?;
    if any_future::is_done(&inner)? {
        return Ok(inner);
    }
    let event_loop = any_future::loop_of(&inner)?;
    let outer = event_loop.invoke(&globals().names.create_future, [])?;
    let task = if event_loop.is_none() {
        None
    } else {
        awaited_by::current_task(Some(&event_loop))?
    };
    awaited_by::add(&inner, task.as_ref())?;
    if let Some(task) = &task {
        notify_when_done(&inner, &STOP_AWAITING, task)?;
    }
    notify_when_done(&inner, &INNER_IS_DONE, &outer)?;
    match task {
        Some(task) => {
            let pair = making::pair(&inner, &task)?;
            notify_when_done(&outer, &AWAITED_OUTER_IS_DONE, &pair)?;
        }
        None => notify_when_done(&outer, &OUTER_IS_DONE, &inner)?,
    }
    Ok(outer)
}

/// Owned by the outer future, which `stop_notifying` finds it by.
static INNER_IS_DONE: Notification =
    Notification::named(c"shield.<locals>._inner_done_callback", inner_is_done);
static OUTER_IS_DONE: Notification =
    Notification::named(c"shield.<locals>._outer_done_callback", outer_is_done);
/// From Python 3.14 on, where the graph of awaiting tasks has to be undone as well.
static AWAITED_OUTER_IS_DONE: Notification = Notification::named(
    c"shield.<locals>._outer_done_callback",
    awaited_outer_is_done,
);
static STOP_AWAITING: Notification =
    Notification::named(c"shield.<locals>._clear_awaited_by_callback", stop_awaiting);

/// The outer future gets the inner one's outcome.
fn inner_is_done(outer: &Object, inner: &Object) -> Result<()> {
    follow(outer, inner).or_else(|raised| fail_without_memory(outer, raised))
}

/// The inner future is done: its outcome becomes that of the outer one, unless that was cancelled.
///
/// Whether an exception counts as seen decides about the log line "exception was never retrieved".
fn follow(outer: &Object, inner: &Object) -> Result<()> {
    if any_future::is_cancelled(outer)? {
        // Newer versions of asyncio report the exception of a shielded future without waiters, and
        // the exception is left to that report; in older ones it counts as seen.
        if edition().log_shielded.is_none() && !any_future::is_cancelled(inner)? {
            any_future::exception_of(inner)?;
        }
        return Ok(());
    }
    if any_future::is_cancelled(inner)? {
        return any_future::cancel(outer).map(drop);
    }
    match any_future::exception_of(inner)? {
        Some(exception) => any_future::set_exception(outer, &exception),
        None => any_future::set_result(outer, any_future::result_of(inner)?),
    }
}

/// The outer future is done, which means cancelled if the inner one is not.
fn outer_is_done(inner: &Object, outer: &Object) -> Result<()> {
    if !any_future::is_done(inner)? {
        leave(inner, outer)?;
    }
    Ok(())
}

/// As [`outer_is_done`], where a task is known to await the inner future: `owner` is a pair of
/// both.
fn awaited_outer_is_done(owner: &Object, outer: &Object) -> Result<()> {
    let Some((inner, task)) = owner.as_pair() else {
        return Ok(());
    };
    if !any_future::is_done(&inner)? {
        leave(&inner, outer)?;
        stop_notifying(&inner, &STOP_AWAITING, &task)?;
        awaited_by::discard(&inner, Some(&task))?;
    }
    Ok(())
}

/// The inner future goes on alone.
///
/// With `log_shielded` a later exception of the inner future is reported to the loop's exception
/// handler, since nobody awaits it any more.
fn leave(inner: &Object, outer: &Object) -> Result<()> {
    stop_notifying(inner, &INNER_IS_DONE, outer)?;
    if let Some(log) = &edition().log_shielded {
        // Only one report, however often it was shielded.
        let names = &globals().names;
        inner.invoke(&names.remove_done_callback, [log])?;
        inner.invoke(&names.add_done_callback, [log])?;
    }
    Ok(())
}

/// The task does not await the inner future any more.
///
/// The inner future's own done-callback, so that an edge never outlives it.
fn stop_awaiting(task: &Object, inner: &Object) -> Result<()> {
    awaited_by::discard(inner, Some(task))
}
