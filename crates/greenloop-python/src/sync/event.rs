//! `Event`.

use std::ffi::{CStr, c_void};

use greenloop_core::{WaitList as _, sync};
use greenloop_cpython::{
    Instance, Object, Result, Visited, Visitor, attribute, class_of, noargs, one, reducing,
    restore, unary,
};
use pyo3::ffi;

use super::copying::{Copied, getstate, setstate};
use super::primitive::{
    Lined, Plain, Primitive, State, bound_loop, get_loop, initialise_without_arguments, line, repr,
    set_bound_loop, set_line,
};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line, Operation, Progress, ready};

type Event = sync::Event<Line>;

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

fn of(this: &Object) -> &Event {
    &Primitive::<Event>::of(this).state
}

/// The event behind an instance of the class, for a queue's `join`.
#[inline]
pub fn event_of(object: &Object) -> &Primitive<Event> {
    Primitive::of(object)
}

/// A new event, which is set already.
pub fn create_set_event() -> Result<Object> {
    let class = &globals().classes.event;
    let object = Instance::<Primitive<Event>>::create(class)?;
    of(&object).set()?;
    Ok(object)
}

fn is_set(this: &Object) -> Result<Object> {
    Ok(Object::boolean(of(this).is_set()))
}

fn set(this: &Object) -> Result<Object> {
    of(this).set()?;
    Ok(Object::none())
}

fn clear(this: &Object) -> Result<Object> {
    of(this).clear();
    Ok(Object::none())
}

fn set_value(this: &Object, value: Option<&Object>) -> Result<()> {
    let set = value.ok_or_else(crate::future::cannot_delete)?.is_true()?;
    of(this).set_value(set);
    Ok(())
}

fn wait(this: &Object) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

static WAIT: Operation = Operation {
    name: c"Event.wait",
    start: |this| {
        // SAFETY: a step of an operation whose owner stays.
        let owner = unsafe { Awaitable::of(this).owner_of_step() };
        let event = Primitive::<Event>::of(&owner);
        if event.state.is_set() {
            return ready(Object::boolean(true));
        }
        event.prepare(this, &owner)?;
        event.state.waiters.push(this);
        Ok(Progress::Blocked)
    },
    resume: |this| {
        leave(this);
        ready(Object::boolean(true))
    },
    interrupt: |this, exception| {
        leave(this);
        Err(restore(exception))
    },
    behind: None,
};

fn leave(this: &Object) {
    // SAFETY: called in steps of an operation whose owner stays.
    let owner = unsafe { Awaitable::of(this).owner_of_step() };
    of(&owner).leave(this);
}

fn repr_slot(this: &Object) -> Result<Object> {
    repr::<Event>(this, if of(this).is_set() { "set" } else { "unset" })
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Primitive<Event>>(c"greenloop.Event")
        .subclassable()
        .doc(c"Event()\n--\n\nA flag that tasks wait for; see asyncio.Event.")
        .slot(
            ffi::Py_tp_init,
            initialise_without_arguments::<Event> as *mut c_void,
        )
        .repr(unary!(repr_slot))
        .methods(vec![
            noargs!(
                leaf c"is_set",
                is_set,
                c"is_set($self)\n--\n\nReturn whether the flag is set."
            ),
            noargs!(
                c"set",
                set,
                c"set($self)\n--\n\nSet the flag and wake all who wait for it."
            ),
            noargs!(leaf c"clear", clear, c"clear($self)\n--\n\nClear the flag."),
            noargs!(
                leaf c"wait",
                wait,
                c"wait($self)\n--\n\nWait until the flag is set; return True."
            ),
            noargs!(
                c"__getstate__",
                getstate::<Event>,
                c"__getstate__($self)\n--\n\nReturn what a copy is made of."
            ),
            one!(
                c"__setstate__",
                setstate::<Event>,
                c"__setstate__($self, state, /)\n--\n\nMake this a copy."
            ),
            reducing(),
            noargs!(
                c"_get_loop",
                get_loop::<Event>,
                c"_get_loop($self)\n--\n\nReturn the running loop, bound to."
            ),
        ])
        .attributes(vec![
            attribute!(c"_loop", bound_loop::<Event>, set_bound_loop::<Event>),
            attribute!(c"_waiters", line::<Event>, set_line::<Event>),
            attribute!(c"_value", is_set, set_value),
        ])
        .build(None)
}
