//! `Event`.

use std::ffi::CStr;

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

/// An event's state.
pub type Event = sync::Event<Line>;

/// A reference to an event.
pub type EventRef = Native<Primitive<Event>>;

/// The class.
pub static CLASS: Class<Primitive<Event>> = Class::new();

impl State for Event {
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
pub fn create_set_event() -> Result<EventRef> {
    let event = CLASS.create()?;
    event.get().state.set()?;
    Ok(event)
}

fn is_set(this: &EventRef) -> Result<Object> {
    Ok(Object::boolean(this.get().state.is_set()))
}

fn set(this: &EventRef) -> Result<Object> {
    this.get().state.set()?;
    Ok(Object::none())
}

fn clear(this: &EventRef) -> Result<Object> {
    this.get().state.clear();
    Ok(Object::none())
}

fn set_value(this: &EventRef, value: Option<&Object>) -> Result<()> {
    let set = value.ok_or_else(crate::future::cannot_delete)?.is_true()?;
    this.get().state.set_value(set);
    Ok(())
}

fn wait(this: &EventRef) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

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
        .doc(c"Event()\n--\n\nA flag that tasks wait for; see asyncio.Event.")
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
                c"set($self)\n--\n\nSet the flag and wake all waiters.",
            ),
            leaf_noargs(c"clear", clear, c"clear($self)\n--\n\nClear the flag."),
            leaf_noargs(
                c"wait",
                wait,
                c"wait($self)\n--\n\nWait until the flag is set; return True.",
            ),
            loop_method(),
        ])
        .attributes(line_attributes())
        .attributes(vec![attribute(c"_value", is_set, set_value)])
        .build_into(&CLASS)
}
