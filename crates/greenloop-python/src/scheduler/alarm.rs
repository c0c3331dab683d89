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

use greenloop_core::Instant;
use greenloop_cpython::{
    Class, ClassBuilder, Dead, Header, Layout, Native, Object, Record, Result, Slot, Spare,
    Tracked, Visited, Visitor,
};

use super::{Job, Scheduler};

/// How many dead alarms are kept for new ones.
static SPARE: Spare<Alarm, 256> = Spare::new();

/// The class.
pub static CLASS: Class<Alarm> = Class::new();

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
    header: Header,
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

// SAFETY: programs do not see the class, which is built for this struct.
unsafe impl Layout for Alarm {
    const OFFSET: usize = 0;
}

// SAFETY: it begins with a header, and one whose bytes are zero is set for no target. It owns
// its target.
unsafe impl Record for Alarm {
    fn tracked(&self) -> Option<&Tracked> {
        None
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.target.visit(visitor)
    }

    fn clear(&self) {
        self.target.clear();
    }

    fn is_empty(&self) -> bool {
        self.target.is_empty()
    }

    fn bury(dead: Dead<Self>) {
        SPARE.keep(dead);
    }
}

impl Alarm {
    /// An alarm that rings when `deadline` has passed.
    #[inline]
    pub fn at(
        scheduler: &Scheduler,
        deadline: Instant,
        bell: &'static Bell,
        target: &Object,
    ) -> Result<Native<Self>> {
        let alarm = Self::create(bell, target, true)?;
        scheduler.push_timer(deadline, Job::Alarm(alarm.clone()));
        Ok(alarm)
    }

    /// An alarm that rings in the next turn.
    pub fn soon(
        scheduler: &Scheduler,
        bell: &'static Bell,
        target: &Object,
    ) -> Result<Native<Self>> {
        let alarm = Self::create(bell, target, false)?;
        scheduler.push(Job::Alarm(alarm.clone()));
        Ok(alarm)
    }

    #[inline]
    fn create(bell: &'static Bell, target: &Object, timed: bool) -> Result<Native<Self>> {
        let object = SPARE.allocate(&CLASS)?;
        let alarm = object.get();
        alarm.target.set(target.clone());
        alarm.bell.set(Some(bell));
        alarm.timed.set(timed);
        Ok(object)
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

/// Makes the class.
pub fn make_class() -> Result<()> {
    ClassBuilder::<Alarm>::of_records(c"greenloop.Alarm")
        .doc(c"A deadline in a loop's heap.")
        .build_into(&CLASS)
}
