//! `Gate`: a one-shot event that a done-callback sets to resume the waiting task.
//!
//! It is asyncio's `waiter` future with its `_release_waiter`. Callbacks and alarms hold the gate
//! and not the awaitable, so that they do not keep a dropped wait alive.

use std::cell::Cell;

use greenloop_core::{WaitList as _, WaiterState};
use greenloop_cpython::{
    Class, Held, Native, Object, Result, Slot, Visited, Visitor, class_of, visit_slots,
};

use crate::awaitable::Line;
use crate::scheduler::Notification;

/// The class.
///
/// An object of Python's, since callbacks and timers of any loop hold it.
pub static CLASS: Class<Gate> = Class::new();

/// A reference to a gate.
pub type GateRef = Native<Gate>;

/// The fields of a `Gate`.
pub struct Gate {
    /// The line of the single waiter.
    ///
    /// Empty once it was woken.
    pub line: Line,
    /// Set when the gate is opened: a later wait returns at once.
    ///
    /// Never cleared. A gate serves one wait.
    pub opened: Cell<bool>,
    /// The timer that will open it when time is up, or nothing.
    pub timer: Slot,
    /// The loop of the wait.
    pub event_loop: Slot,
    /// The exception to raise when the wait is over, or the object shown as waiting meanwhile.
    pub carried: Slot,
}

// SAFETY: the slots are the gate's, and the awaitable in its line leaves the waiter out.
unsafe impl Held for Gate {
    fn new() -> Self {
        Self {
            line: Line::new(),
            opened: Cell::new(false),
            timer: Slot::empty(),
            event_loop: Slot::empty(),
            carried: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.line.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
        self.line.clear();
    }
}

/// Opens the gate that owns it.
///
/// Given to `notify_when_done` with the gate as owner; opening an open gate has no effect.
pub static OPEN_GATE: Notification = Notification::unnamed(|gate, _| match CLASS.exactly(gate) {
    Some(gate) => gate.get().open(),
    None => Ok(()),
});

impl Gate {
    /// A new gate on a loop.
    pub fn create(event_loop: &Object) -> Result<GateRef> {
        let gate = CLASS.create()?;
        gate.get().event_loop.set(event_loop.clone());
        Ok(gate)
    }

    /// Opens the gate.
    ///
    /// The task resumes in the next turn. A waiter that was cancelled meanwhile is left alone.
    ///
    /// # Errors
    /// Those of a foreign waiter's `set_result`.
    pub fn open(&self) -> Result<()> {
        self.opened.set(true);
        match self.line.first() {
            Some(waiter) if self.line.waiter_state(&waiter)? == WaiterState::Waiting => {
                self.line.remove(&waiter);
                self.line.wake(&waiter)
            }
            _ => Ok(()),
        }
    }

    const fn slots(&self) -> [&Slot; 3] {
        [&self.timer, &self.event_loop, &self.carried]
    }
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Gate>(c"greenloop.Gate")
        .not_callable()
        .doc(c"A one-shot event that a callback sets to resume the waiting task.")
        .build_into(&CLASS)
}
