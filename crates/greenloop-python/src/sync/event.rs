//! `Event`.

use std::ffi::{c_int, c_void};

use greenloop_core::sync;
use pyo3::ffi;

use super::waiters::{as_deque, bound_loop, repr, set_bound_loop};
use crate::awaitable::{Awaitable, Line, LoopBound, Operation, Progress, ready};
use crate::interop::{
    Held, Instance, Object, Result, attribute, class_of, globals, noargs, restore, trap,
};
use greenloop_core::WaitList as _;

pub struct Event {
    pub bound: LoopBound,
    pub event: sync::Event<Line>,
}

impl Held for Event {
    fn new() -> Self {
        Self {
            bound: LoopBound::new(),
            event: sync::Event::new(Line::new()),
        }
    }

    unsafe fn visit(&self, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.bound.slot().visit(visit, arg) {
                0 => self.event.waiters.visit(visit, arg),
                stop => stop,
            }
        }
    }

    fn clear(&self) {
        self.bound.slot().clear();
        self.event.waiters.clear();
    }
}

fn of(this: &Object) -> &Event {
    Instance::<Event>::of(this)
}

impl Event {
    /// The event behind an instance of the class.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        of(object)
    }

    /// A new event, which is set already.
    pub fn create_set() -> Result<Object> {
        let object = Instance::<Self>::create(globals().classes.event.as_ptr())?;
        of(&object).event.set()?;
        Ok(object)
    }
}

fn is_set(this: &Object) -> Result<Object> {
    Ok(Object::boolean(of(this).event.is_set()))
}

fn set(this: &Object) -> Result<Object> {
    of(this).event.set()?;
    Ok(Object::none())
}

fn clear(this: &Object) -> Result<Object> {
    of(this).event.clear();
    Ok(Object::none())
}

fn wait(this: &Object) -> Result<Object> {
    Awaitable::create(&WAIT, this, None)
}

static WAIT: Operation = Operation {
    name: c"Event.wait",
    start: |this| {
        let owner = Awaitable::of(this).owner().get_or_none();
        let event = of(&owner);
        if event.event.is_set() {
            return ready(Object::boolean(true));
        }
        Awaitable::prepare(this, &event.bound, &owner)?;
        event.event.waiters.push(this);
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
};

fn leave(this: &Object) {
    of(&Awaitable::of(this).owner().get_or_none())
        .event
        .leave(this);
}

unsafe extern "C" fn repr_slot(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid event.
        let this = unsafe { Object::from_borrowed(this) };
        let event = &of(&this).event;
        let state = if event.is_set() { "set" } else { "unset" };
        repr(&this, state, event.waiters.len())
    })
}

fn loop_attribute(this: &Object) -> Result<Object> {
    Ok(bound_loop(&of(this).bound))
}

fn set_loop_attribute(this: &Object, value: Option<&Object>) -> Result<()> {
    set_bound_loop(&of(this).bound, value);
    Ok(())
}

fn waiters(this: &Object) -> Result<Object> {
    as_deque(&of(this).event.waiters)
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Event>(c"greenloop.Event")
        .subclassable()
        .doc(c"Event()\n--\n\nA flag that tasks wait for; see asyncio.Event.")
        .slot(ffi::Py_tp_repr, repr_slot as *mut c_void)
        .methods(vec![
            noargs!(c"is_set", is_set, c"Return whether the flag is set."),
            noargs!(c"set", set, c"Set the flag and wake all who wait for it."),
            noargs!(c"clear", clear, c"Clear the flag."),
            noargs!(c"wait", wait, c"Wait until the flag is set; return True."),
        ])
        .attributes(vec![
            attribute!(c"_loop", loop_attribute, set_loop_attribute),
            attribute!(c"_waiters", waiters),
            attribute!(c"_value", is_set),
        ])
        .build(None)
}
