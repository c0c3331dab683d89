//! A native job as a callback, for code that runs jobs by their handles.
//!
//! The timer of a `sleep`, a deadline and a transport's reaction have no callable callback: their
//! handles show the callback that asyncio would have there. If other code runs the handle, its
//! callback is a [`JobCall`], which looks like the one shown and runs the job.

use std::cell::Cell;
use std::ffi::c_void;

use greenloop_cpython::{
    Held, Instance, Object, Result, Slot, Visited, Visitor, class_of, trap, unary,
};
use pyo3::ffi;

use crate::asyncio::globals;
use crate::awaitable;
use crate::scheduler::{Alarm, Job, Reaction};

/// The action on the owner.
#[derive(Clone, Copy)]
enum Action {
    Nothing,
    EndSleep,
    Ring,
    React(&'static Reaction, u32),
}

struct JobCall {
    action: Cell<Action>,
    owner: Slot,
    /// The callback that asyncio's handle would have.
    shown: Slot,
}

impl Held for JobCall {
    fn new() -> Self {
        Self {
            action: Cell::new(Action::Nothing),
            owner: Slot::empty(),
            shown: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.owner.visit(visitor)?;
        self.shown.visit(visitor)
    }

    fn clear(&self) {
        self.owner.clear();
        self.shown.clear();
    }
}

/// A callable that runs `job` and looks like `shown`. For a job that is not native, `shown` itself.
pub fn job_call(job: &Job, shown: Object) -> Result<Object> {
    let (action, owner) = match job {
        Job::Sleeper(sleeper) => (Action::EndSleep, sleeper),
        Job::Alarm(alarm) => (Action::Ring, alarm),
        Job::Ready(listener) => {
            let action = Action::React(listener.reaction, listener.ticket);
            (action, &listener.owner)
        }
        _ => return Ok(shown),
    };
    let object = Instance::<JobCall>::create(&globals().classes.job_call)?;
    let call = Instance::<JobCall>::of(&object);
    call.action.set(action);
    call.owner.set(owner.clone());
    call.shown.set(shown);
    Ok(object)
}

unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    _args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on an instance of the class.
        let this = unsafe { Object::from_borrowed(this) };
        let call = Instance::<JobCall>::of(&this);
        let owner = call.owner.get_or_none();
        match call.action.get() {
            Action::Nothing => {}
            Action::EndSleep => awaitable::run_sleeper(&owner)?,
            Action::Ring => {
                let alarm = Alarm::of(&owner);
                let outcome = alarm.run();
                alarm.release();
                outcome?;
            }
            Action::React(reaction, ticket) => (reaction.react)(&owner, ticket)?,
        }
        Ok(Object::none())
    })
}

/// The attributes are those of the callback that is shown.
unsafe extern "C" fn attribute(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on an instance of the class, with a string.
        let (this, name) = unsafe { (Object::from_borrowed(this), Object::from_borrowed(name)) };
        Instance::<JobCall>::of(&this)
            .shown
            .get_or_none()
            .attribute(&name)
    })
}

fn repr(this: &Object) -> Result<Object> {
    let shown = Instance::<JobCall>::of(this).shown.get_or_none();
    shown.repr()
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<JobCall>(c"greenloop.JobCall")
        .not_callable()
        .doc(c"What runs a native job when it is called.")
        .slot(ffi::Py_tp_call, call as *mut c_void)
        .slot(ffi::Py_tp_getattro, attribute as *mut c_void)
        .repr(unary!(repr))
        .build(None)
}
