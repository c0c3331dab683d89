//! `Event`.
//!
//! An event is the one primitive whose waiters all wake at once, and the only one of which a queue
//! has its own: `_finished`, for which `Queue.join` waits.
//!
//! Waiters that were woken see True even if the flag is cleared before they run, as in asyncio: the
//! wake-up decides, not the flag.

use std::ffi::CStr;

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_core::{WaitList as _, sync};
use greenloop_cpython::{
    Class, Native, Object, Result, Visited, Visitor, attribute, class_of, copied, leaf_noargs,
    noargs, restore,
};

use super::copying::{Copied, getstate, setstate};
use super::primitive::{
    Lined, Plain, Primitive, State, initialise, line_attributes, loop_method, repr,
};
use crate::awaitable::{Awaitable, Line, Operation, Progress, ready};
use crate::observing::{Wait, is_recording, tell};

/// An event's state.
pub type Event = sync::Event<Line>;

/// A reference to an event.
///
/// Its instance may be of a subclass.
pub type EventRef = Native<Primitive<Event>>;

/// The class.
///
/// Exported to `queues`, which tests with it whether an object is an event of ours.
pub static CLASS: Class<Primitive<Event>> = Class::new();

// SAFETY: an event's line shows the waiters, and there is nothing else.
unsafe impl State for Event {
    const NAME: &'static CStr = c"Event";

    fn new() -> Self {
        Self::new(Line::new())
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.waiters.visit(visitor)
    }

    fn clear(&self) {
        self.waiters.clear();
    }
}

impl Plain for Event {
    /// A second `__init__` clears the flag; the waiters are forgotten, not woken.
    fn begin_anew(&self) {
        self.set_value(false);
    }
}

impl Copied for Event {
    const ATTRIBUTES: &'static [&'static str] = &["_waiters", "_value"];
}

impl Lined for Event {
    const LINE_ON_DEMAND: bool = false;

    #[inline]
    fn line(&self) -> &Line {
        &self.waiters
    }
}

/// A new event, which is set already.
///
/// A queue without items begins with one: there is nothing to wait for. `__init__` is not called.
pub fn create_set_event() -> Result<EventRef> {
    let event = CLASS.create()?;
    event.get().state.set()?;
    Ok(event)
}

fn is_set(this: &EventRef) -> Result<Object> {
    Ok(Object::boolean(this.get().state.is_set()))
}

/// Takes time linear in the number of waiters. A flag that is set already wakes nobody.
///
/// # Errors
/// Those of a foreign waiter's `set_result`; the waiters behind it are not woken then, and the flag
/// stays set.
fn set(this: &EventRef) -> Result<Object> {
    if is_recording() {
        tell(EventKind::Set, WaitKind::Event, &this.get().number, 0);
    }
    this.get().state.set()?;
    Ok(Object::none())
}

fn clear(this: &EventRef) -> Result<Object> {
    if is_recording() {
        tell(EventKind::Cleared, WaitKind::Event, &this.get().number, 0);
    }
    this.get().state.clear();
    Ok(Object::none())
}

/// `_value = True` wakes nobody, unlike `set()`: asyncio's attribute is a plain one.
fn set_value(this: &EventRef, value: Option<&Object>) -> Result<()> {
    let set = value.ok_or_else(crate::future::cannot_delete)?.is_true()?;
    this.get().state.set_value(set);
    Ok(())
}

/// The flag is looked at when the awaitable is awaited, not now.
fn wait(this: &EventRef) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

/// Waiting for a set event takes no turn. A waiter leaves the line itself when it runs, woken or
/// not: until then `_waiters` shows it, as asyncio's deque does. A cancelled waiter has nothing to
/// pass on, since `set` wakes everybody.
static WAIT: Operation<EventRef> = Operation {
    name: c"Event.wait",
    start: |this, owner| {
        let event = owner.get();
        if event.state.is_set() {
            return ready(Object::boolean(true));
        }
        event.prepare(this, owner)?;
        event.state.waiters.push(this);
        Ok(Progress::Blocked)
    },
    resume: |this, owner| {
        owner.get().state.leave(this);
        ready(Object::boolean(true))
    },
    interrupt: |this, owner, exception| {
        owner.get().state.leave(this);
        Err(restore(exception))
    },
    waits: |_, owner| Some(Wait::on(WaitKind::Event, &owner.get().number)),
    inside: |_| &[],
    behind: None,
};

fn repr_slot(this: &EventRef) -> Result<Object> {
    repr::<Event>(
        this,
        if this.get().state.is_set() {
            "set"
        } else {
            "unset"
        },
    )
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Primitive<Event>>(c"greenloop.Event")
        .subclassable()
        .doc(
            c"Event()\n--\n\n\
               A flag that tasks wait for; see asyncio.Event.\n\n\
               It is clear at first. Tasks that wait are woken together by set().",
        )
        .init_by(initialise)
        .repr_by(repr_slot)
        .methods(copied(getstate, setstate))
        .methods(vec![
            leaf_noargs(
                c"is_set",
                is_set,
                c"is_set($self)\n--\n\nReturn whether the flag is set.",
            ),
            noargs(
                c"set",
                set,
                c"set($self)\n--\n\n\
                  Set the flag and wake all waiters.\n\n\
                  All of them run in the loop's next turn, even if clear() is called before \
                  that.",
            ),
            leaf_noargs(c"clear", clear, c"clear($self)\n--\n\nClear the flag."),
            leaf_noargs(
                c"wait",
                wait,
                c"wait($self)\n--\n\n\
                  Wait until the flag is set; return True.\n\n\
                  It returns at once, without giving way to other tasks, if the flag is set \
                  already.",
            ),
            loop_method(),
        ])
        .attributes(line_attributes())
        .attributes(vec![attribute(c"_value", is_set, set_value)])
        .build_into(&CLASS)
}
