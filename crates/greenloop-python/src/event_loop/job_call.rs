//! A native job as a callback, for code that runs jobs by their handles.
//!
//! The timer of a `sleep`, a deadline and a transport's reaction have no callable callback: their
//! handles show the callback that asyncio would have there. If other code runs the handle, its
//! callback is a [`JobCall`], which looks like the one shown and runs the job.
//!
//! ```text
//!   handle (of asyncio's shape) ── _callback ──► JobCall ── looks like ──► asyncio's callback
//!                                                   └────── does ──► the native job
//! ```

use std::cell::RefCell;

use greenloop_cpython::{
    Arguments, Class, Held, Native, Object, Result, Slot, Visited, Visitor, class_of,
};

use crate::awaitable;
use crate::scheduler::{Alarm, Job, NativeListener, SleeperKind};

/// The action on the owner.
#[derive(Clone)]
enum Action {
    /// The collector has cleared the object.
    Nothing,
    /// Ends a sleep whose timer is due.
    EndSleep(Native<SleeperKind>),
    /// Rings an alarm, and lets go of it.
    Ring(Native<Alarm>),
    /// Tells a native listener that its descriptor is ready.
    React(NativeListener),
}

struct JobCall {
    action: RefCell<Action>,
    /// The callback that asyncio's handle would have.
    shown: Slot,
}

// SAFETY: the action owns its one object, and the slot another reference.
unsafe impl Held for JobCall {
    fn new() -> Self {
        Self {
            action: RefCell::new(Action::Nothing),
            shown: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        // It is borrowed for moments only, in which nothing is collected.
        if let Ok(action) = self.action.try_borrow() {
            match &*action {
                Action::Nothing => {}
                Action::EndSleep(sleeper) => visitor.show(sleeper)?,
                Action::Ring(alarm) => visitor.show(alarm)?,
                Action::React(listener) => visitor.show(&listener.owner)?,
            }
        }
        self.shown.visit(visitor)
    }

    fn clear(&self) {
        let action = self.action.replace(Action::Nothing);
        drop(action);
        self.shown.clear();
    }
}

static CLASS: Class<JobCall> = Class::new();

/// A callable that runs `job` and looks like `shown`. For a job that is not native, `shown` itself.
///
/// It holds what the job holds. Calling it twice does no harm: the job's own state tells that it is
/// over.
pub fn job_call(job: &Job, shown: Object) -> Result<Object> {
    let action = match job {
        Job::Sleeper(sleeper) => Action::EndSleep(sleeper.clone()),
        Job::Alarm(alarm) => Action::Ring(alarm.clone()),
        Job::Ready(listener) => Action::React(listener.clone()),
        _ => return Ok(shown),
    };
    let call = CLASS.create()?;
    call.get().action.replace(action);
    call.get().shown.set(shown);
    Ok(call.into_object())
}

/// Any arguments are ignored: the handle has those of asyncio's callback. What the job raises is
/// raised here.
fn call(this: &Native<JobCall>, _: Arguments<'_>) -> Result<Object> {
    let action = this.get().action.borrow().clone();
    match action {
        Action::Nothing => {}
        Action::EndSleep(sleeper) => awaitable::run_sleeper(&sleeper)?,
        Action::Ring(alarm) => {
            let outcome = alarm.get().run();
            alarm.get().release();
            outcome?;
        }
        Action::React(listener) => (listener.reaction.react)(&listener.owner, listener.generation)?,
    }
    Ok(Object::none())
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<JobCall>(c"greenloop.JobCall")
        .not_callable()
        .doc(c"What runs a native job when it is called.")
        .call_by(call)
        // The attributes are those of the callback that is shown.
        .getattribute_by(|this, name| this.get().shown.get_or_none().attribute(name))
        .repr_by(|this| this.get().shown.get_or_none().repr())
        .build_into(&CLASS)
}
