//! `Barrier`.
//!
//! As in asyncio it is built on a condition, `_cond`, so that it takes the same number of turns.
//! The awaitable's `value` holds the condition's coroutine that is awaited, and its `kept` holds
//! the waiter's index.

use std::ffi::CStr;

use greenloop_core::sync::{self, BarrierState, Broken, Notify};
use greenloop_cpython::making::{self, ByName as _, IntoObject as _};
use greenloop_cpython::{
    Arguments, Instance, Object, Raised, Result, Signature, Slot, Visited, Visitor, attached,
    attribute, call_function, call_method, class_of, fast, fetch, init, no_attribute, noargs, one,
    reducing, restore, type_error, unary,
};
use pyo3::prelude::*;

use super::condition;
use super::copying::{Copied, getstate, setstate};
use super::primitive::{Primitive, State, bound_loop, get_loop, repr_with, set_bound_loop};
use crate::asyncio::globals;
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, completed};

/// A barrier's state.
struct Barrier {
    logic: sync::Barrier,
    /// `_cond`, empty before `__init__`.
    condition: Slot,
}

impl State for Barrier {
    const NAME: &'static CStr = c"Barrier";

    fn new() -> Self {
        Self {
            logic: sync::Barrier::new(1),
            condition: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.condition.visit(visitor)
    }

    fn clear(&self) {
        self.condition.clear();
    }
}

impl Copied for Barrier {
    const ATTRIBUTES: &'static [&'static str] = &["_cond", "_parties", "_state", "_count"];
}

#[inline]
fn of(this: &Object) -> &Barrier {
    &Primitive::<Barrier>::of(this).state
}

fn condition_of(this: &Object) -> Result<Object> {
    let condition = of(this).condition.get();
    condition.ok_or_else(|| no_attribute(this, "_cond"))
}

fn notify(condition: &Object, notify: Notify) -> Result<()> {
    if notify.0 {
        condition::notify_all(condition)?;
    }
    Ok(())
}

// Waiting.

/// The condition's lock is being acquired.
const ENTERING: u8 = 0;
/// The lock was acquired; the barrier may not admit the party yet.
const OUTSIDE: u8 = 1;
/// The barrier counts this party.
const INSIDE: u8 = 2;

const WAIT_OPERATION: Operation = Operation {
    name: c"Barrier.wait",
    start: |this| begin(this, follow),
    resume: |this| follow(this, delegate::continue_with(this, None)),
    interrupt: |this, exception| follow(this, delegate::continue_with(this, Some(&exception))),
    behind: None,
};

static WAIT: Operation = WAIT_OPERATION;

static ENTER: Operation = Operation {
    name: c"Barrier.__aenter__",
    ..WAIT_OPERATION
};

/// The continuation after one of the condition's coroutines was awaited.
type Follow = fn(&Object, Result<Delegated>) -> Result<Progress>;

/// `async with condition`.
fn begin(this: &Object, follow: Follow) -> Result<Progress> {
    let condition = condition_of(&Awaitable::of(this).owner().get_or_none())?;
    Awaitable::of(this).step().set(ENTERING);
    if condition::try_acquire(&condition)? {
        return follow(this, Ok(Delegated::Returned(Object::none())));
    }
    follow(
        this,
        delegate::begin(this, &condition::acquire(&condition)?),
    )
}

fn follow(this: &Object, delegated: Result<Delegated>) -> Result<Progress> {
    let step = Awaitable::of(this).step();
    match delegated {
        Ok(Delegated::Waits(progress)) => Ok(progress),
        Ok(Delegated::Returned(_)) if step.get() == INSIDE => pass(this),
        Ok(Delegated::Returned(_)) => {
            step.set(OUTSIDE);
            come_in(this)
        }
        Err(raised) if step.get() == ENTERING => Err(raised),
        Err(raised) => go_out(this, Err(raised)),
    }
}

/// The condition's lock is held: comes in, or waits outside.
fn come_in(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let barrier = &of(&owner).logic;
    match barrier.admits() {
        Ok(true) => {}
        Ok(false) => return wait_again(this, &owner),
        Err(Broken) => return go_out(this, Err(broken("Barrier aborted"))),
    }
    let (index, last) = barrier.arrive();
    awaitable.step().set(INSIDE);
    let notified = integer(index).and_then(|index| {
        awaitable.kept().set(index);
        notify(&condition_of(&owner)?, last)
    });
    match notified {
        Ok(()) => pass(this),
        Err(raised) => go_out(this, Err(raised)),
    }
}

/// Inside: goes on, or waits for the others.
fn pass(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    match of(&owner).logic.passes() {
        Ok(true) => go_out(this, Ok(awaitable.kept().get_or_none())),
        Ok(false) => wait_again(this, &owner),
        Err(Broken) => go_out(this, Err(broken("Abort or reset of barrier"))),
    }
}

fn wait_again(this: &Object, owner: &Object) -> Result<Progress> {
    let waits = condition_of(owner)
        .and_then(|condition| condition::wait(&condition))
        .and_then(|awaited| delegate::begin(this, &awaited));
    follow(this, waits)
}

/// Leaves the barrier if inside, and releases the lock.
fn go_out(this: &Object, outcome: Result<Object>) -> Result<Progress> {
    let outcome = outcome.map_err(fetch);
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let condition = condition_of(&owner)?;
    let departed = if awaitable.step().get() == INSIDE {
        notify(&condition, of(&owner).logic.depart())
    } else {
        Ok(())
    };
    // As in a `finally`, the last exception is the one that is raised.
    let departed = departed.map_err(fetch);
    condition::release(&condition)?;
    departed.map_err(restore)?;
    outcome.map(Progress::Returned).map_err(restore)
}

fn wait(this: &Object) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

fn enter(this: &Object) -> Result<Object> {
    let plain = globals().classes.barrier.is_untouched_class_of(this)
        && Instance::<Primitive<Barrier>>::has_no_attributes(this);
    Awaitable::create(if plain { &ENTER } else { &ENTER_BY_NAME }, this, None)
}

fn exit(_this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    if let Some((name, _)) = arguments.keywords().next() {
        let signature = Signature {
            name: c"Barrier.__aexit__",
            parameters: &[],
            positional: 0,
            required: 0,
        };
        return Err(signature.unexpected(name));
    }
    completed()
}

/// `return await self.wait()`.
static ENTER_BY_NAME: Operation = Operation {
    name: c"Barrier.__aenter__",
    start: |this| {
        let owner = Awaitable::of(this).owner().get_or_none();
        let awaited = call_method(&globals().names.wait, &[owner.as_ptr()])?;
        Ok(passed_on(delegate::begin(this, &awaited)?))
    },
    resume: |this| Ok(passed_on(delegate::continue_with(this, None)?)),
    interrupt: |this, exception| Ok(passed_on(delegate::continue_with(this, Some(&exception))?)),
    behind: None,
};

fn passed_on(delegated: Delegated) -> Progress {
    match delegated {
        Delegated::Waits(progress) => progress,
        Delegated::Returned(value) => Progress::Returned(value),
    }
}

// Resetting and aborting.

static RESET: Operation = Operation {
    name: c"Barrier.reset",
    start: |this| begin(this, reset_held),
    resume: |this| reset_held(this, delegate::continue_with(this, None)),
    interrupt: |this, exception| reset_held(this, delegate::continue_with(this, Some(&exception))),
    behind: None,
};

static ABORT: Operation = Operation {
    name: c"Barrier.abort",
    start: |this| begin(this, abort_held),
    resume: |this| abort_held(this, delegate::continue_with(this, None)),
    interrupt: |this, exception| abort_held(this, delegate::continue_with(this, Some(&exception))),
    behind: None,
};

fn reset_held(this: &Object, delegated: Result<Delegated>) -> Result<Progress> {
    change(this, delegated, sync::Barrier::reset)
}

fn abort_held(this: &Object, delegated: Result<Delegated>) -> Result<Progress> {
    change(this, delegated, sync::Barrier::abort)
}

/// Once the condition's lock is held, changes the barrier and notifies all waiters.
fn change(
    this: &Object,
    delegated: Result<Delegated>,
    change: fn(&sync::Barrier) -> Notify,
) -> Result<Progress> {
    if let Delegated::Waits(progress) = delegated? {
        return Ok(progress);
    }
    let owner = Awaitable::of(this).owner().get_or_none();
    let condition = condition_of(&owner)?;
    let notified = notify(&condition, change(&of(&owner).logic)).map_err(fetch);
    condition::release(&condition)?;
    notified.map_err(restore)?;
    Ok(Progress::Returned(Object::none()))
}

fn reset(this: &Object) -> Result<Object> {
    Awaitable::create(&RESET, this, None)
}

fn abort(this: &Object) -> Result<Object> {
    Awaitable::create(&ABORT, this, None)
}

#[cold]
fn broken(text: &str) -> Raised {
    let class = &globals().asyncio.broken_barrier_error;
    making::raise_with(class, (text,)).unwrap_or_else(|raised| raised)
}

// Attributes.

fn integer(number: i64) -> Result<Object> {
    number.into_object()
}

fn to_integer(value: Option<&Object>) -> Result<i64> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    Ok(value.bound(attached()).extract()?)
}

fn parties(this: &Object) -> Result<Object> {
    integer(of(this).logic.parties())
}

fn set_parties(this: &Object, value: Option<&Object>) -> Result<()> {
    of(this).logic.set_parties(to_integer(value)?);
    Ok(())
}

fn count(this: &Object) -> Result<Object> {
    integer(of(this).logic.count())
}

fn set_count(this: &Object, value: Option<&Object>) -> Result<()> {
    of(this).logic.set_count(to_integer(value)?);
    Ok(())
}

fn n_waiting(this: &Object) -> Result<Object> {
    integer(of(this).logic.waiting())
}

fn is_broken(this: &Object) -> Result<Object> {
    Ok(Object::boolean(
        of(this).logic.state() == BarrierState::Broken,
    ))
}

/// The states, by the values of asyncio's `_BarrierState`.
const STATES: [(BarrierState, &str); 4] = [
    (BarrierState::Filling, "filling"),
    (BarrierState::Draining, "draining"),
    (BarrierState::Resetting, "resetting"),
    (BarrierState::Broken, "broken"),
];

fn state_name(state: BarrierState) -> &'static str {
    STATES
        .iter()
        .find(|(other, _)| *other == state)
        .map_or("", |(_, name)| name)
}

/// `_state`: a member of asyncio's `_BarrierState`.
fn state(this: &Object) -> Result<Object> {
    let py = attached();
    let class = globals().asyncio.barrier_state.bound(py);
    Ok(class.invoke((state_name(of(this).logic.state()),))?.into())
}

fn set_state(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    let value = value.bound(attached());
    let name: String = value.look_up(c"value")?.extract()?;
    let Some((state, _)) = STATES.iter().find(|(_, other)| *other == name) else {
        return Err(type_error("a barrier has no such state"));
    };
    of(this).logic.set_state(*state);
    Ok(())
}

fn set_condition(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    if !condition::is_condition(value) {
        return Err(type_error(
            "a barrier's condition has to be a Condition of Greenloop",
        ));
    }
    of(this).condition.set(value.clone());
    Ok(())
}

// The class.

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [parties] = arguments.bind(c"Barrier.__init__", [&globals.names.parties], 1, 1)?;
    let number = to_integer(parties);
    if !matches!(number, Ok(1..)) {
        // asyncio's own class refuses it in its own words, which differ between versions, if it
        // does.
        let number = number.map_err(fetch);
        let parties = parties.map_or(std::ptr::null_mut(), Object::as_ptr);
        call_function(&globals.asyncio.barrier, &[parties])?;
        return number.map_err(restore).map(drop);
    }
    let (number, condition) = (number?, condition::create()?);
    let barrier = of(this);
    barrier.logic.set_parties(number);
    barrier.logic.set_count(0);
    barrier.logic.set_state(BarrierState::Filling);
    barrier.condition.set(condition);
    Ok(())
}

fn repr_slot(this: &Object) -> Result<Object> {
    let barrier = &of(this).logic;
    let state = state_name(barrier.state());
    if barrier.state() == BarrierState::Broken {
        return repr_with(this, state);
    }
    let (waiting, parties) = (barrier.waiting(), barrier.parties());
    repr_with(this, &format!("{state}, waiters:{waiting}/{parties}"))
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Primitive<Barrier>>(c"greenloop.Barrier")
        .subclassable()
        .doc(
            c"Barrier(parties)\n--\n\n\
              A point that all parties reach before any goes on; see asyncio.Barrier.",
        )
        .init(init!(initialise))
        .repr(unary!(repr_slot))
        .methods(vec![
            noargs!(
                leaf c"wait",
                wait,
                c"wait($self)\n--\n\nWait for all parties; return a number that only this one gets."
            ),
            noargs!(
                c"reset",
                reset,
                c"reset($self)\n--\n\n\
                 Send all who wait away with BrokenBarrierError, and begin anew."
            ),
            noargs!(
                c"abort",
                abort,
                c"abort($self)\n--\n\nSend all who wait or come away with BrokenBarrierError."
            ),
            noargs!(
                c"__aenter__",
                enter,
                c"__aenter__($self)\n--\n\nWait for all parties."
            ),
            fast!(
                c"__aexit__",
                exit,
                c"__aexit__($self, *args)\n--\n\nDo nothing."
            ),
            noargs!(
                c"__getstate__",
                getstate::<Barrier>,
                c"__getstate__($self)\n--\n\nReturn what a copy is made of."
            ),
            one!(
                c"__setstate__",
                setstate::<Barrier>,
                c"__setstate__($self, state, /)\n--\n\nMake this a copy."
            ),
            reducing(),
            noargs!(
                c"_get_loop",
                get_loop::<Barrier>,
                c"_get_loop($self)\n--\n\nReturn the running loop, bound to."
            ),
        ])
        .attributes(vec![
            attribute!(c"_loop", bound_loop::<Barrier>, set_bound_loop::<Barrier>),
            attribute!(c"_cond", condition_of, set_condition),
            attribute!(c"_parties", parties, set_parties),
            attribute!(c"_count", count, set_count),
            attribute!(c"_state", state, set_state),
            attribute!(c"parties", parties),
            attribute!(c"n_waiting", n_waiting),
            attribute!(c"broken", is_broken),
        ])
        .build(None)
}
