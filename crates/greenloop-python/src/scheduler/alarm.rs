//! `Alarm`: a deadline in a loop's heap that needs neither a Python function nor a handle.
//!
//! ```text
//!        1 set            2 ring: the deadline has come
//!   (heap) ────► Set ────────────────────────────────────► Rung
//!                 │  3 silence
//!                 └─────────► Silent: lets go of its target at once
//! ```
//! The code that sets an alarm keeps it, to silence it and to ask whether it has rung. A silenced
//! one stays in the heap until it comes to the front or the heap is swept, as a cancelled timer
//! does.
//!
//! The garbage collector never tracks an alarm: the loop shows it the target of each alarm that is
//! set, and the others have none.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use greenloop_core::Instant;
use greenloop_cpython::{ClassBuilder, Freelist, Object, Result, Slot};
use pyo3::ffi;

use super::{Job, Scheduler};
use crate::asyncio::globals;

/// How many dead alarms are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// The behaviour of an alarm. There is one constant for each kind of target.
pub struct Bell {
    /// Called with the target when the alarm rings. It runs in no particular context.
    pub ring: fn(&Object) -> Result<()>,
    /// The callback and the loop that messages show for a target.
    pub shown: fn(&Object) -> Result<(Object, Object)>,
}

/// The C struct.
#[repr(C)]
pub struct Alarm {
    header: ffi::PyObject,
    /// Held while the alarm is set, and while it rings.
    target: Slot,
    bell: Cell<Option<&'static Bell>>,
    /// The number of requests for cancellation that its task had when it was set, for later
    /// comparison.
    #[cfg(Py_3_12)]
    requests: Cell<i64>,
    state: Cell<State>,
    /// Whether it is among the timers. One for a deadline in the past is not: it is ready.
    timed: Cell<bool>,
}

/// See the picture above.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Set,
    Rung,
    Silent,
}

impl Alarm {
    /// An alarm that rings when `deadline` has passed.
    #[inline]
    pub fn at(
        scheduler: &Scheduler,
        deadline: Instant,
        bell: &'static Bell,
        target: &Object,
    ) -> Result<Object> {
        let alarm = Self::create(bell, target, true)?;
        scheduler.push_timer(deadline, Job::Alarm(alarm.clone()));
        Ok(alarm)
    }

    /// An alarm that rings in the next turn.
    pub fn soon(scheduler: &Scheduler, bell: &'static Bell, target: &Object) -> Result<Object> {
        let alarm = Self::create(bell, target, false)?;
        scheduler.push(Job::Alarm(alarm.clone()));
        Ok(alarm)
    }

    #[inline]
    fn create(bell: &'static Bell, target: &Object, timed: bool) -> Result<Object> {
        let class = globals().classes.alarm.as_ptr();
        // SAFETY: `Alarm` is the struct of that class, and the list serves it alone.
        let object = unsafe { Object::from_owned(SPARE.allocate::<Self>(class)?.cast()) };
        let alarm = Self::of(&object);
        alarm.target.set(target.clone());
        alarm.bell.set(Some(bell));
        alarm.timed.set(timed);
        Ok(object)
    }

    /// The struct behind an alarm.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass alarms: what jobs hold, and objects tested with `is_alarm`.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// Whether `object` is an alarm.
    #[inline]
    pub fn is_alarm(object: &Object) -> bool {
        object.is_exactly(globals().classes.alarm.as_ptr())
    }

    /// Whether the deadline has come.
    #[inline]
    #[cfg(Py_3_12)]
    pub fn has_rung(&self) -> bool {
        self.state.get() == State::Rung
    }

    /// Whether it is not going to ring any more.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.state.get() != State::Set
    }

    /// Notes how many requests for cancellation the task has.
    #[cfg(Py_3_12)]
    pub fn set_requests(&self, requests: i64) {
        self.requests.set(requests);
    }

    /// The number that was noted.
    #[cfg(Py_3_12)]
    pub fn requests(&self) -> i64 {
        self.requests.get()
    }

    /// The alarm's target, as long as it is set.
    pub fn target(&self) -> Option<Object> {
        self.target.get()
    }

    /// Sees to it that the alarm does not ring. `scheduler` is that of the loop it was set on.
    #[inline]
    pub fn silence(&self, scheduler: Option<&Scheduler>) {
        if self.state.get() != State::Set {
            return;
        }
        self.state.set(State::Silent);
        if let (Some(scheduler), true) = (scheduler, self.timed.get()) {
            scheduler.note_cancelled_timer();
        }
        self.target.clear();
    }

    /// Rings, when the loop comes to it.
    pub fn run(&self) -> Result<()> {
        if self.state.get() != State::Set {
            return Ok(());
        }
        self.state.set(State::Rung);
        match (self.bell.get(), self.target.get()) {
            (Some(bell), Some(target)) => (bell.ring)(&target),
            _ => Ok(()),
        }
    }

    /// The loop is done with the alarm.
    pub fn release(&self) {
        self.target.clear();
    }

    /// The callback and the loop that represent the alarm, for messages and for code that looks at
    /// the heap.
    pub fn shown(&self) -> Result<(Object, Object)> {
        match (self.bell.get(), self.target.get()) {
            (Some(bell), Some(target)) => (bell.shown)(&target),
            _ => Ok((Object::none(), Object::none())),
        }
    }
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead alarm; the class cannot be inherited from.
    unsafe {
        (*this.cast::<Alarm>()).target.clear();
        SPARE.free(this);
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an alarm, of which none is tracked, with its own
    // visitor.
    unsafe {
        greenloop_cpython::traverse(this, visit, arg, |visitor| {
            (*this.cast::<Alarm>()).target.visit(visitor)
        })
    }
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<Alarm>(c"greenloop.Alarm")
        .not_callable()
        .doc(c"A deadline in a loop's heap.")
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .build(None)
}
