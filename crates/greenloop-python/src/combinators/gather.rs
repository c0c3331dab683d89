//! `gather`: one future of the results of many.
//!
//! A child costs a task (or nothing, if it is a future), an entry in a list, a notification in its
//! own struct, and a job in the ready queue when it is done.
//!
//! ```text
//!   gather()     make the children, tell each to notify, attach the outer future to the loop
//!   later turns  child_is_done(outer, child), once for each child
//!                  ├─ Wait      others are not done
//!                  ├─ Fail      its exception becomes the outer one's; the others run on
//!                  ├─ Collect   the list of results, in the order of the arguments
//!                  └─ Ignore    the outer future has its outcome: the exception counts as seen
//! ```
//! `greenloop_core::sync::Gathering` counts and decides. Cancelling the outer future cancels the
//! children (`task::GatheringFuture`, asyncio's `_GatheringFuture`); a failed child cancels nobody.

use greenloop_core::sync::Verdict;
use greenloop_cpython::{
    Anything, Arguments, Native, Object, Result, attached, making, same_string, type_error,
};

use super::children::Places;
use super::ensure_future::{Home, as_future, current_loop, running_loop};
use super::{awaited_by, fail_without_memory};
use crate::any_future;
use crate::asyncio::edition::{
    FUTURES_KNOW_AWAITERS, GATHER_COUNTS_DONE_CHILDREN, GATHER_PREFERS_RUNNING_LOOP, edition,
};
use crate::asyncio::globals;
use crate::future::notify_when_done;
use crate::scheduler::Notification;
use crate::task::{GATHERING_FUTURE, GatheringFuture, Task, child_at, count_of_children};

/// `gather(*coros_or_futures, return_exceptions=False)`.
///
/// The children are scheduled in the call itself, not when the result is awaited, in the order of
/// the arguments. A coroutine that is given twice becomes one task. Children that are done already
/// are counted at the end, since a failure among them would finish an outer future that has no
/// children yet.
///
/// # Errors
/// `ValueError` for futures of different loops and `TypeError` for what cannot be awaited; the
/// tasks made until then run on, as in asyncio.
pub fn gather(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let keep_exceptions = parse_return_exceptions(&arguments)?;
    let arguments = arguments.positional();
    if arguments.is_empty() {
        return of_nothing();
    }
    let outer = GatheringFuture::create()?;
    let this = outer.get();
    this.gathering.keep_exceptions(keep_exceptions);
    let mut home = initial_home()?;
    if let Some(home) = &home {
        this.awaiting()
            .set_optional(awaited_by::current_task(Some(home.event_loop()))?);
    }
    let mut places = Places::new(arguments)?;
    let mut children: Vec<Object> = Vec::with_capacity(arguments.len());
    let mut done = Vec::new();
    for (place, argument) in arguments.iter().enumerate() {
        if let Some(first) = places.first_equal(place)? {
            children.push(children[first].clone());
            continue;
        }
        let child = as_future(argument, home.as_ref())?;
        if home.is_none() {
            home = Some(Home::new(any_future::loop_of(&child)?));
        }
        if !child.is(argument.as_ptr()) {
            // Nobody but us can wait for it: that it is dropped while it waits is no mistake.
            Task::stay_silent(&child)?;
        }
        this.gathering.add();
        places.remember(place)?;
        if GATHER_COUNTS_DONE_CHILDREN && any_future::is_done(&child)? {
            done.push(child.clone());
        } else {
            awaited_by::add(&child, this.awaiting().get().as_ref())?;
            notify_when_done(&child, &CHILD_IS_DONE, &outer)?;
        }
        children.push(child);
    }
    let Some(home) = home else {
        // Not reached: the first argument has made one.
        return of_nothing();
    };
    GatheringFuture::begin(&outer, making::list(children)?, |future| {
        home.attach(future)
    })?;
    if edition().graph.gather_stops_awaiting && !this.awaiting().is_empty() {
        notify_when_done(&outer, &STOP_AWAITING, &outer)?;
    }
    for child in done {
        child_is_done(&outer, &child)?;
    }
    Ok(outer.into_object())
}

/// The name is what a child's repr shows as its callback, which is asyncio's.
static CHILD_IS_DONE: Notification =
    Notification::named(c"gather.<locals>._done_callback", child_is_done);
/// Only where asyncio keeps a graph of awaiting tasks; see `awaited_by`.
static STOP_AWAITING: Notification = Notification::named(c"_discard_awaited_by", stop_awaiting);

/// The home of all, unless the first argument decides it.
///
/// With a running loop, a future of another one is refused.
#[inline]
fn initial_home() -> Result<Option<Home>> {
    if GATHER_PREFERS_RUNNING_LOOP {
        return Ok(running_loop()?.map(Home::new));
    }
    Ok(None)
}

/// The value of `return_exceptions`, the only keyword that `gather` has.
///
/// # Errors
/// `TypeError` for another keyword, and those of the value's truth.
fn parse_return_exceptions(arguments: &Arguments<'_>) -> Result<bool> {
    let mut keep = false;
    for (name, value) in arguments.keywords() {
        if !same_string(&globals().names.return_exceptions, name) {
            let py = attached();
            return Err(type_error(&format!(
                "gather() got an unexpected keyword argument '{}'",
                name.bound(py)
            )));
        }
        keep = value.is_true()?;
    }
    Ok(keep)
}

/// A future on the current loop that has an empty list already.
///
/// Without a running loop the policy is asked, with asyncio's deprecation warning.
fn of_nothing() -> Result<Object> {
    let event_loop = current_loop()?;
    let outer = event_loop.invoke(&globals().names.create_future, [])?;
    any_future::set_result(&outer, making::list(Vec::new())?)?;
    Ok(outer)
}

/// A child is done.
///
/// Called in the turn after the child's end, as a callback would be, or by `gather` itself for a
/// child that was done before.
fn child_is_done(outer: &Object, child: &Object) -> Result<()> {
    let Some(outer) = GATHERING_FUTURE.exactly(outer) else {
        return Ok(());
    };
    count_child(outer, child).or_else(|raised| fail_without_memory(outer, raised))
}

/// A child is done: decides whether the gathering future is now done, too, and finishes it.
///
/// The child's exception is looked at once: asking marks it as retrieved, so that it is not logged.
fn count_child(outer: &Native<GatheringFuture>, child: &Object) -> Result<()> {
    let this = outer.get();
    if FUTURES_KNOW_AWAITERS {
        awaited_by::discard(child, this.awaiting().get().as_ref())?;
    }
    let mut failure = None;
    let verdict = this
        .gathering
        .child_is_done(this.is_settled(), || -> Result<bool> {
            failure = failure_of(child)?;
            Ok(failure.is_some())
        })?;
    if FUTURES_KNOW_AWAITERS && this.gathering.all_are_done() {
        // The task may hold the outer future, by way of an exception's traceback.
        this.awaiting().clear();
    }
    match verdict {
        Verdict::Wait => Ok(()),
        Verdict::Collect => collect(outer),
        Verdict::Fail => match failure {
            Some(failure) => any_future::set_exception(outer, &failure),
            None => Ok(()),
        },
        Verdict::Ignore => {
            if !any_future::is_cancelled(child)? {
                // It counts as seen.
                any_future::exception_of(child)?;
            }
            Ok(())
        }
    }
}

/// The exception of a child, its cancellation included.
///
/// A child of ours with a plain result, the usual case, is answered without making an object.
#[inline]
fn failure_of(child: &Object) -> Result<Option<Object>> {
    if any_future::has_plain_result(child) {
        return Ok(None);
    }
    if any_future::is_cancelled(child)? {
        return any_future::cancelled_error_of(child).map(Some);
    }
    any_future::exception_of(child)
}

/// All children are done: sets the list of their results, or the cancellation that was asked for.
///
/// A cancellation that was asked for while all children finished in another way is still raised:
/// the caller of `cancel()` got True.
fn collect(outer: &Native<GatheringFuture>) -> Result<()> {
    let this = outer.get();
    let children = this.children().get_or_none();
    let mut results = Vec::with_capacity(count_of_children(&children));
    let mut last = None;
    while let Some(child) = child_at(&children, results.len()) {
        results.push(match any_future::plain_result(&child) {
            Some(result) => result,
            None => result_or_exception(&child)?,
        });
        last = Some(child);
    }
    if let Some(last) = last.filter(|_| this.is_cancel_requested()) {
        let error = any_future::cancelled_error_of(&last)?;
        return any_future::set_exception(outer, &error);
    }
    any_future::set_result(outer, making::list(results)?)
}

/// A child's entry in the list of results.
///
/// Exceptions get here with `return_exceptions` alone.
fn result_or_exception(child: &Object) -> Result<Object> {
    if any_future::is_cancelled(child)? {
        // Not the error that it would raise: this one is not raised, and that one may be taken only
        // once.
        let message = any_future::cancel_message_of(child)?;
        let message = Some(message).filter(|message| !message.is_none());
        let message = message.map_or_else(empty_text, Ok)?;
        return globals().asyncio.cancelled_error.call([&message]);
    }
    match any_future::exception_of(child)? {
        Some(exception) => Ok(exception),
        None => any_future::result_of(child),
    }
}

/// The outer future is done: a child that goes on is not awaited through it any more.
///
/// The outer future may end by a failed child, while the others go on.
fn stop_awaiting(outer: &Object, _future: &Object) -> Result<()> {
    let Some(this) = GATHERING_FUTURE.exactly(outer).map(Native::get) else {
        return Ok(());
    };
    let children = this.children().get_or_none();
    let task = this.awaiting().get();
    let mut index = 0;
    while let Some(child) = child_at(&children, index) {
        awaited_by::discard(&child, task.as_ref())?;
        index += 1;
    }
    Ok(())
}

/// asyncio makes `CancelledError('')` of a cancellation without a message here.
fn empty_text() -> Result<Object> {
    making::interned(c"")
}
