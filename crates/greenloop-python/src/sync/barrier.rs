//! `Barrier`.
//!
//! As in asyncio it is built on a condition, `_cond`, so that it takes the same number of turns.
//! The awaitable's `value` holds the condition's coroutine that is awaited, and its `kept` holds
//! the waiter's index.
//!
//! This is asyncio's `Barrier._block`, `_wait`, `_exit` and `_release`, inside
//! `async with self._cond`: the lock is acquired, the party is admitted, passes, and leaves by
//! `go_out`, which releases the lock. The core decides who is admitted and when all pass, always
//! with the lock held; where it says so, all waiters of the condition are notified, and look again
//! in later turns.

mod attributes;

use std::ffi::CStr;

use greenloop_core::observe::WaitKind;
use greenloop_core::sync::{self, BarrierState, Broken, Notify};
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Class, Native, NativeSlot, Object, Raised, Result, Signature, Visited, Visitor,
    attribute, class_of, copied, fast, fetch, leaf_noargs, no_attribute, noargs, readonly, restore,
};

use attributes::{
    count, is_broken, n_waiting, parties, set_condition, set_count, set_parties, set_state, state,
    state_name, to_integer,
};

use super::condition::{self, Condition, ConditionRef};
use super::copying::{Copied, getstate, setstate};
use super::primitive::{Primitive, State, bound_loop, loop_method, repr_with, set_bound_loop};
use crate::asyncio::globals;
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, completed};
use crate::observing::Wait;

/// A reference to a barrier.
type BarrierRef = Native<Primitive<Barrier>>;

/// The class.
pub static CLASS: Class<Primitive<Barrier>> = Class::new();

/// A barrier's state.
pub struct Barrier {
    logic: sync::Barrier,
    /// `_cond`, empty before `__init__`.
    condition: NativeSlot<Primitive<Condition>>,
}

// SAFETY: the barrier shows the reference to its condition, and the condition the waiters.
unsafe impl State for Barrier {
    const NAME: &'static CStr = c"Barrier";

    fn new() -> Self {
        Self {
            logic: sync::Barrier::new(1),
            condition: NativeSlot::empty(),
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

/// `AttributeError` before `__init__`, and after the garbage collector has cleared the barrier.
fn condition_of(this: &BarrierRef) -> Result<ConditionRef> {
    let condition = this.get().state.condition.get();
    condition.ok_or_else(|| no_attribute(this, "_cond"))
}

fn notify(condition: &ConditionRef, notify: Notify) -> Result<()> {
    if notify.0 {
        condition::notify_all(condition)?;
    }
    Ok(())
}

// Waiting.

/// The condition's lock is being acquired. An exception now leaves nothing to undo.
const ENTERING: u8 = 0;
/// The lock was acquired; the barrier may not admit the party yet. The lock has to be released in
/// the end.
const OUTSIDE: u8 = 1;
/// The barrier counts this party. The count has to be reduced in the end as well.
const INSIDE: u8 = 2;

const WAIT_OPERATION: Operation<BarrierRef> = Operation {
    name: c"Barrier.wait",
    start: |this, owner| begin(this, owner, follow),
    resume: |this, owner| follow(this, owner, delegate::continue_with(this, None)),
    interrupt: |this, owner, exception| {
        follow(this, owner, delegate::continue_with(this, Some(&exception)))
    },
    waits: |_, owner| Some(Wait::on(WaitKind::Barrier, &owner.get().number)),
    inside: |this| &inside_of_enter(this)[1..],
    behind: None,
};

static WAIT: Operation<BarrierRef> = WAIT_OPERATION;

static ENTER: Operation<BarrierRef> = Operation {
    name: c"Barrier.__aenter__",
    inside: inside_of_enter,
    ..WAIT_OPERATION
};

fn inside_of_enter(this: &Awaitable) -> &'static [&'static CStr] {
    match this.step().get() {
        ENTERING => &[c"Barrier.wait", c"_ContextManagerMixin.__aenter__"],
        OUTSIDE => &[c"Barrier.wait", c"Barrier._block", c"Condition.wait_for"],
        _ => &[c"Barrier.wait", c"Barrier._wait", c"Condition.wait_for"],
    }
}

/// The continuation after one of the condition's coroutines was awaited.
type Follow = fn(&Native<Awaitable>, &BarrierRef, Result<Delegated>) -> Result<Progress>;

/// `async with condition`.
fn begin(this: &Native<Awaitable>, owner: &BarrierRef, follow: Follow) -> Result<Progress> {
    let condition = condition_of(owner)?;
    this.get().step().set(ENTERING);
    let delegated = if condition::try_acquire(&condition)? {
        Ok(Delegated::Returned(Object::none()))
    } else {
        delegate::begin(this, &condition::acquire(&condition)?)
    };
    follow(this, owner, delegated)
}

fn follow(
    this: &Native<Awaitable>,
    owner: &BarrierRef,
    delegated: Result<Delegated>,
) -> Result<Progress> {
    let step = this.get().step();
    match delegated {
        Ok(Delegated::Waits(progress)) => Ok(progress),
        Ok(Delegated::Returned(_)) if step.get() == INSIDE => pass(this, owner),
        Ok(Delegated::Returned(_)) => {
            step.set(OUTSIDE);
            come_in(this, owner)
        }
        Err(raised) if step.get() == ENTERING => Err(raised),
        Err(raised) => go_out(this, owner, Err(raised)),
    }
}

/// The condition's lock is held: comes in, or waits outside. The last party notifies the others and
/// passes in the same step.
fn come_in(this: &Native<Awaitable>, owner: &BarrierRef) -> Result<Progress> {
    let awaitable = this.get();
    let barrier = &owner.get().state.logic;
    match barrier.admits() {
        Ok(true) => {}
        Ok(false) => return wait_again(this, owner),
        Err(Broken) => return go_out(this, owner, Err(broken("Barrier aborted"))),
    }
    let (index, last) = barrier.arrive();
    awaitable.step().set(INSIDE);
    let notified = Object::int(index).and_then(|index| {
        awaitable.kept().set(index);
        notify(&condition_of(owner)?, last)
    });
    match notified {
        Ok(()) => pass(this, owner),
        Err(raised) => go_out(this, owner, Err(raised)),
    }
}

/// Inside: goes on, or waits for the others.
fn pass(this: &Native<Awaitable>, owner: &BarrierRef) -> Result<Progress> {
    match owner.get().state.logic.passes() {
        Ok(true) => go_out(this, owner, Ok(this.get().kept().get_or_none())),
        Ok(false) => wait_again(this, owner),
        Err(Broken) => go_out(this, owner, Err(broken("Abort or reset of barrier"))),
    }
}

fn wait_again(this: &Native<Awaitable>, owner: &BarrierRef) -> Result<Progress> {
    let waits = condition_of(owner)
        .and_then(|condition| condition::wait(&condition))
        .and_then(|awaited| delegate::begin(this, &awaited));
    follow(this, owner, waits)
}

/// Leaves the barrier if inside, and releases the lock. The last one out notifies those outside.
/// The lock is released even if notifying fails. Errors go in the order of asyncio's nested
/// `finally`: of the release, of notifying, of the outcome.
fn go_out(
    this: &Native<Awaitable>,
    owner: &BarrierRef,
    outcome: Result<Object>,
) -> Result<Progress> {
    let outcome = outcome.map_err(fetch);
    let condition = condition_of(owner)?;
    let departed = if this.get().step().get() == INSIDE {
        notify(&condition, owner.get().state.logic.depart())
    } else {
        Ok(())
    };
    // As in a `finally`, the last exception is the one that is raised.
    let departed = departed.map_err(fetch);
    condition::release(&condition)?;
    departed.map_err(restore)?;
    outcome.map(Progress::Returned).map_err(restore)
}

fn wait(this: &BarrierRef) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

fn enter(this: &BarrierRef) -> Result<Object> {
    let plain = CLASS.is_untouched_class_of(this) && this.has_no_attributes();
    Awaitable::create(if plain { &ENTER } else { &ENTER_BY_NAME }, this, None)
}

fn exit(_this: &BarrierRef, arguments: Arguments<'_>) -> Result<Object> {
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
static ENTER_BY_NAME: Operation<BarrierRef> = Operation {
    name: c"Barrier.__aenter__",
    start: |this, owner| {
        let awaited = owner.invoke(&globals().names.wait, [])?;
        Ok(passed_on(delegate::begin(this, &awaited)?))
    },
    resume: |this, _| Ok(passed_on(delegate::continue_with(this, None)?)),
    interrupt: |this, _, exception| Ok(passed_on(delegate::continue_with(this, Some(&exception))?)),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

fn passed_on(delegated: Delegated) -> Progress {
    match delegated {
        Delegated::Waits(progress) => progress,
        Delegated::Returned(value) => Progress::Returned(value),
    }
}

// Resetting and aborting.

static RESET: Operation<BarrierRef> = Operation {
    name: c"Barrier.reset",
    start: |this, owner| begin(this, owner, reset_held),
    resume: |this, owner| reset_held(this, owner, delegate::continue_with(this, None)),
    interrupt: |this, owner, exception| {
        reset_held(this, owner, delegate::continue_with(this, Some(&exception)))
    },
    waits: |_, _| None,
    inside: |_| &[c"_ContextManagerMixin.__aenter__"],
    behind: None,
};

static ABORT: Operation<BarrierRef> = Operation {
    name: c"Barrier.abort",
    start: |this, owner| begin(this, owner, abort_held),
    resume: |this, owner| abort_held(this, owner, delegate::continue_with(this, None)),
    interrupt: |this, owner, exception| {
        abort_held(this, owner, delegate::continue_with(this, Some(&exception)))
    },
    waits: |_, _| None,
    inside: |_| &[c"_ContextManagerMixin.__aenter__"],
    behind: None,
};

fn reset_held(
    _this: &Native<Awaitable>,
    owner: &BarrierRef,
    delegated: Result<Delegated>,
) -> Result<Progress> {
    change(owner, delegated, sync::Barrier::reset)
}

fn abort_held(
    _this: &Native<Awaitable>,
    owner: &BarrierRef,
    delegated: Result<Delegated>,
) -> Result<Progress> {
    change(owner, delegated, sync::Barrier::abort)
}

/// Once the condition's lock is held, changes the barrier and notifies all waiters.
fn change(
    owner: &BarrierRef,
    delegated: Result<Delegated>,
    change: fn(&sync::Barrier) -> Notify,
) -> Result<Progress> {
    if let Delegated::Waits(progress) = delegated? {
        return Ok(progress);
    }
    let condition = condition_of(owner)?;
    let notified = notify(&condition, change(&owner.get().state.logic)).map_err(fetch);
    condition::release(&condition)?;
    notified.map_err(restore)?;
    Ok(Progress::Returned(Object::none()))
}

fn reset(this: &BarrierRef) -> Result<Object> {
    Awaitable::create(&RESET, this, None)
}

fn abort(this: &BarrierRef) -> Result<Object> {
    Awaitable::create(&ABORT, this, None)
}

#[cold]
fn broken(text: &str) -> Raised {
    let class = &globals().asyncio.broken_barrier_error;
    making::raise_with(class, (text,)).unwrap_or_else(|raised| raised)
}

// The class.

/// A second call makes a new condition; parties that wait at the old one stay there.
fn initialise(this: &BarrierRef, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [parties] = arguments.bind(c"Barrier.__init__", [&globals.names.parties], 1, 1)?;
    let number = to_integer(parties);
    if !matches!(number, Ok(1..)) {
        // asyncio's own class refuses it in its own words, which differ between versions, if it
        // does.
        let number = number.map_err(fetch);
        let none = Object::none();
        globals.asyncio.barrier.call([parties.unwrap_or(&none)])?;
        return number.map_err(restore).map(drop);
    }
    let (number, condition) = (number?, condition::create()?);
    let barrier = &this.get().state;
    barrier.logic.set_parties(number);
    barrier.logic.set_count(0);
    barrier.logic.set_state(BarrierState::Filling);
    barrier.condition.set(condition);
    Ok(())
}

fn repr_slot(this: &BarrierRef) -> Result<Object> {
    let barrier = &this.get().state.logic;
    let state = state_name(barrier.state());
    if barrier.state() == BarrierState::Broken {
        return repr_with(this, state);
    }
    let (waiting, parties) = (barrier.waiting(), barrier.parties());
    repr_with(this, &format!("{state}, waiters:{waiting}/{parties}"))
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Primitive<Barrier>>(c"greenloop.Barrier")
        .subclassable()
        .doc(
            c"Barrier(parties)\n--\n\n\
              A point that all parties reach before any of them continues; see \
              asyncio.Barrier.",
        )
        .init_by(initialise)
        .repr_by(repr_slot)
        .methods(copied(getstate, setstate))
        .methods(vec![
            leaf_noargs(
                c"wait",
                wait,
                c"wait($self)\n--\n\n\
                  Wait for all parties; return the index of this one, from 0 to parties - 1.\n\n\
                  BrokenBarrierError is raised if the barrier is broken, or reset while the \
                  task waits. A cancelled task leaves the barrier, which waits for another one.",
            ),
            noargs(
                c"reset",
                reset,
                c"reset($self)\n--\n\n\
                  Break the barrier once: every waiter gets BrokenBarrierError.",
            ),
            noargs(
                c"abort",
                abort,
                c"abort($self)\n--\n\n\
                  Break the barrier until reset(): all who wait get BrokenBarrierError.",
            ),
            noargs(
                c"__aenter__",
                enter,
                c"__aenter__($self)\n--\n\nWait for all parties.",
            ),
            fast(
                c"__aexit__",
                exit,
                c"__aexit__($self, *args)\n--\n\nLeave the body; nothing is released.",
            ),
            loop_method(),
        ])
        .attributes(vec![
            attribute(c"_loop", bound_loop, set_bound_loop),
            attribute(
                c"_cond",
                |this| Ok(condition_of(this)?.into_object()),
                set_condition,
            ),
            attribute(c"_parties", parties, set_parties),
            attribute(c"_count", count, set_count),
            attribute(c"_state", state, set_state),
            readonly(c"parties", parties)
                .documented(c"The number of tasks that pass the barrier together."),
            readonly(c"n_waiting", n_waiting)
                .documented(c"The number of tasks that wait at the barrier."),
            readonly(c"broken", is_broken).documented(c"Whether the barrier is broken."),
        ])
        .build_into(&CLASS)
}
