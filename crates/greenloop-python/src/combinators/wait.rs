//! `wait`: until some or all of several futures are done, or a time has passed.
//!
//! The futures notify the wait's state, which wakes the awaitable. The state outlives the wait if a
//! notification is under way already: it still counts, and looks at exceptions, as asyncio's does.
//!
//! ```text
//!    start ── nothing to wait for ──► ValueError; AssertionError for an empty iterator
//!      │ each future notifies the state; a timer is set
//!      ▼
//!    Blocked ── the countdown ends, or the time is up ──► resume: leave, (done, pending)
//!      └─────── an exception ──────────────────────────► interrupt: leave, raise
//! ```
//! Nothing is cancelled when the time is up, unlike in `wait_for`. All checks happen in the first
//! step, because asyncio's `wait` is a coroutine function.

use greenloop_core::observe::WaitKind;
use greenloop_core::sync::{Countdown, ReturnWhen};
use greenloop_cpython::{
    Anything, Arguments, Class, ExceptionClass, Held, Native, NativeSlot, Object, Raised, Result,
    Slot, Visited, Visitor, attached, class_of, making, restore, type_error, visit_slots,
};
use pyo3::prelude::*;

use super::awaited_by;
use crate::any_future;
use crate::asyncio::globals;
use crate::awaitable::is_coroutine;
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::future::{Future, notify_when_done, stop_notifying};
use crate::observing::Wait;
use crate::scheduler::Notification;

/// The class.
///
/// The garbage collector sees the state as an object; programs never do.
pub static CLASS: Class<State> = Class::new();

/// The state of one call of `wait`.
///
/// Made by the call, and the owner of its awaitable and of the futures' notifications.
pub struct State {
    /// The argument at first; when the wait begins, the tuple of the futures, each once.
    futures: Slot,
    /// The same as a set, which is known nowhere else.
    set: Slot,
    /// In seconds, any object that `call_later` takes; empty for None.
    timeout: Slot,
    /// As given; empty for the default. It is looked at in the first step.
    return_when: Slot,
    /// How many are not done, and which of them end the wait. It counts on after the wait.
    countdown: Countdown,
    /// The awaitable that waits, as long as it does.
    awaitable: NativeSlot<Awaitable>,
    /// The handle of a timer that `call_later` has set.
    handle: Slot,
    /// The task that waits, from 3.14 on: it awaits the futures.
    task: Slot,
}

impl State {
    const fn slots(&self) -> [&Slot; 6] {
        [
            &self.futures,
            &self.set,
            &self.timeout,
            &self.return_when,
            &self.handle,
            &self.task,
        ]
    }

    /// Cancels the timer.
    ///
    /// A wait has an alarm, or a handle on a loop that is not ours, or neither.
    fn cancel_timer(&self) -> Result<()> {
        if let Some(awaitable) = self.awaitable.get() {
            Awaitable::cancel_alarm(&awaitable);
        }
        match self.handle.get() {
            Some(handle) => handle.invoke(&globals().names.cancel, []).map(drop),
            None => Ok(()),
        }
    }
}

// SAFETY: the slots and the awaitable's slot are different fields, all of a `wait`'s own.
unsafe impl Held for State {
    fn new() -> Self {
        Self {
            futures: Slot::empty(),
            set: Slot::empty(),
            timeout: Slot::empty(),
            return_when: Slot::empty(),
            countdown: Countdown::new(),
            awaitable: NativeSlot::empty(),
            handle: Slot::empty(),
            task: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.awaitable.visit(visitor)
    }

    fn clear(&self) {
        self.awaitable.clear();
        for slot in self.slots() {
            slot.clear();
        }
    }
}

/// `wait(fs, *, timeout=None, return_when=ALL_COMPLETED)`.
///
/// # Errors
/// `TypeError` for wrong names or numbers of arguments. Their values are checked when it is
/// awaited.
pub fn wait(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.fs, &names.timeout, &names.return_when];
    let [futures, timeout, return_when] = arguments.bind(c"wait", parameters, 1, 1)?;
    let owner = CLASS.create()?;
    let state = owner.get();
    state.futures.set_optional(futures.cloned());
    let timeout = timeout.filter(|timeout| !timeout.is_none());
    state.timeout.set_optional(timeout.cloned());
    state.return_when.set_optional(return_when.cloned());
    Awaitable::create(&WAIT, &owner, None)
}

/// The owner is the state, not the awaitable, so that a dropped awaitable is not kept alive.
static FUTURE_IS_DONE: Notification = Notification::named(
    c"_wait.<locals>._on_completion",
    |owner, future| match CLASS.exactly(owner) {
        Some(owner) => future_is_done(owner.get(), future),
        None => Ok(()),
    },
);

/// In both ways out the notifications are taken back before anything else.
static WAIT: Operation<Native<State>> = Operation {
    name: c"wait",
    start,
    resume: |_, owner| {
        leave(owner)?;
        done_and_pending(owner.get()).map(Progress::Returned)
    },
    interrupt: |_, owner, exception| {
        leave(owner)?;
        Err(restore(exception))
    },
    waits: |_, _| Some(Wait::of(WaitKind::Wait)),
    inside: |_| &[c"_wait"],
    behind: None,
};

/// Checks the arguments in asyncio's order, and returns at once or begins to wait.
///
/// Futures that are done already notify in the next turn, so the wait takes turns even if all are,
/// as in asyncio.
///
/// # Errors
/// `TypeError` for a future, a coroutine, or a coroutine among the items; `ValueError` for an empty
/// collection or an unknown `return_when`.
fn start(this: &Native<Awaitable>, owner: &Native<State>) -> Result<Progress> {
    let state = owner.get();
    let given = state.futures.get_or_none();
    if !given.is_plain_collection() && (any_future::is_future(&given)? || is_coroutine(&given)?) {
        let class = making::class_name(&given)?;
        return Err(type_error(&format!(
            "expect a list of futures, not {class}"
        )));
    }
    if !given.is_true()? {
        return Err(making::value_error("Set of Tasks/Futures is empty."));
    }
    let return_when = parse_return_when(&state.return_when)?;
    let set = making::set_of(&given)?;
    let futures = set.to_tuple()?;
    for future in futures.tuple_items().unwrap_or_default() {
        if !Future::is_native(future) && is_coroutine(future)? {
            let text = "Passing coroutines is forbidden, use tasks explicitly.";
            return Err(type_error(text));
        }
    }
    let count = futures.tuple_items().map_or(0, <[_]>::len);
    state.futures.set(futures.clone());
    state.set.set(set);
    state.countdown.begin(count, return_when);
    if count == 0 {
        // An iterator, which counts as true even if there is nothing in it.
        return Err(assertion_error("Set of Futures is empty."));
    }
    let handle = Awaitable::prepare_alone(this, state.timeout.get().as_ref())?;
    state.handle.set_optional(handle);
    state.awaitable.set(this.clone());
    let task = awaited_by::current_task(None)?;
    state.task.set_optional(task.clone());
    for future in futures.tuple_items().unwrap_or_default() {
        notify_when_done(future, &FUTURE_IS_DONE, owner)?;
        awaited_by::add(future, task.as_ref())?;
    }
    Ok(Progress::Blocked)
}

/// One of the futures is done.
///
/// The exception is asked for, and thereby seen, only where it decides.
fn future_is_done(state: &State, future: &Object) -> Result<()> {
    let raised = || -> Result<bool> {
        let cancelled = any_future::is_cancelled(future)?;
        Ok(!cancelled && any_future::exception_of(future)?.is_some())
    };
    if state.countdown.one_is_done(raised)? {
        state.cancel_timer()?;
        if let Some(awaitable) = state.awaitable.get() {
            Awaitable::release(&awaitable)?;
        }
    }
    awaited_by::discard(future, state.task.get().as_ref())
}

/// The wait is over, one way or the other.
///
/// The cost is linear in the futures, as with asyncio's callbacks. The same future may wait
/// elsewhere too: only this wait's notification is removed.
fn leave(owner: &Native<State>) -> Result<()> {
    let state = owner.get();
    state.cancel_timer()?;
    state.awaitable.clear();
    let futures = state.futures.get_or_none();
    let task = state.task.get();
    for future in futures.tuple_items().unwrap_or_default() {
        stop_notifying(future, &FUTURE_IS_DONE, owner)?;
        awaited_by::discard(future, task.as_ref())?;
    }
    Ok(())
}

/// `(done, pending)`: two sets. The one that was made of the arguments becomes the second, less the
/// futures that are done, or the first if all are.
///
/// A future counts as done if it is so now, whether or not its notification has come.
fn done_and_pending(state: &State) -> Result<Object> {
    let futures = state.futures.get_or_none();
    let mut done = Vec::new();
    for future in futures.tuple_items().unwrap_or_default() {
        if any_future::is_done(future)? {
            done.push(future);
        }
    }
    let rest = state.set.get_or_none();
    let other = making::set()?;
    if done.len() == futures.tuple_items().map_or(0, <[_]>::len) {
        return making::pair(&rest, &other);
    }
    for future in &done {
        rest.set_discard(future)?;
        other.set_add(future)?;
    }
    making::pair(&other, &rest)
}

/// The condition that `return_when` names, compared by equality as asyncio does.
///
/// # Errors
/// `ValueError` for anything else, and those of the comparison.
fn parse_return_when(given: &Slot) -> Result<ReturnWhen> {
    let Some(given) = given.get() else {
        return Ok(ReturnWhen::AllCompleted);
    };
    let py = attached();
    for (name, return_when) in [
        ("FIRST_COMPLETED", ReturnWhen::FirstCompleted),
        ("FIRST_EXCEPTION", ReturnWhen::FirstException),
        ("ALL_COMPLETED", ReturnWhen::AllCompleted),
    ] {
        if given.bound(py).eq(making::text(name)?.bound(py))? {
            return Ok(return_when);
        }
    }
    let text = making::shown(&given)?;
    let text = format!("Invalid return_when value: {text}");
    Err(making::value_error(&text))
}

/// asyncio has an `assert fs` at this place.
fn assertion_error(text: &str) -> Raised {
    making::raise_text(ExceptionClass::AssertionError, text)
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<State>(c"greenloop.WaitState")
        .not_callable()
        .doc(c"The state of one call of wait().")
        .build_into(&CLASS)
}
