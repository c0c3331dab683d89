//! `TaskGroup`: children that a task waits for, and that are cancelled together.
//!
//! ```text
//!            1 enter           2 exit begins             3 no child is left
//!   Created ─────────► Entered ───────────────► Exiting ────────────────────► over
//!                         │                        │
//!                         └── 4 abort: a child or ─┘
//!                             the body has failed; no new children from here on
//! ```
//! Transitions 2 and 3 are in [`exit`], those that children cause in [`children`]. The differences
//! between versions of asyncio are the fields of
//! [`GroupEdition`](crate::asyncio::edition::GroupEdition).
//!
//! A child that is done notifies the group by a native function, which needs neither a bound method
//! nor a context. An instance of a subclass may have overridden `_on_task_done`, `_abort` or
//! `_is_base_error`, which are therefore called by name there.
//!
//! It is `asyncio.taskgroups.TaskGroup`. Its invariants are:
//!
//! - `tasks` holds the children whose end the group has not seen, so the exit waits until it is
//!   empty;
//! - once `aborting` is set it stays set, and every child that was there was cancelled;
//! - `parent_cancel_requested` says that one of the parent's requests for cancellation is the
//!   group's.

mod children;
mod class;
mod exit;
mod roster;

use std::cell::Cell;

use greenloop_cpython::{
    Class, ExceptionClass, Held, Native, Object, Raised, Result, Slot, Visited, Visitor,
    is_exception, is_of_class, making, visit_slots,
};

use crate::asyncio::globals;
use crate::awaitable::Line;
use crate::observing::Number;
use crate::task;

pub use class::make_class;
use roster::Roster;

/// The class.
pub static CLASS: Class<TaskGroup> = Class::new();

/// A reference to a group.
pub type GroupRef = Native<TaskGroup>;

/// The fields of a `TaskGroup`.
pub struct TaskGroup {
    entered: Cell<bool>,
    exiting: Cell<bool>,
    aborting: Cell<bool>,
    /// Set when the group has cancelled its parent, which it then takes back.
    parent_cancel_requested: Cell<bool>,
    /// Set by a `cancel` before the group was entered.
    cancel_on_enter: Cell<bool>,
    event_loop: Slot,
    parent_task: Slot,
    /// The children that are not done.
    tasks: Roster,
    /// The exceptions of children: a list, nothing before the first, or None at the end.
    errors: Slot,
    /// The first `SystemExit` or `KeyboardInterrupt`.
    base_error: Slot,
    /// The exit that waits for the children.
    completed: Line,
    /// The exception of the group's body: its class and its value.
    body_class: Slot,
    body_exception: Slot,
    /// The cancellation that the exit is going to raise.
    propagated: Slot,
    /// The last cancellation that came while the exit waited.
    pending: Slot,
    /// Which one it is, for an observer.
    pub number: Number,
}

// SAFETY: the group's slots and its two rosters hold references of their own.
unsafe impl Held for TaskGroup {
    fn new() -> Self {
        Self {
            entered: Cell::new(false),
            exiting: Cell::new(false),
            aborting: Cell::new(false),
            parent_cancel_requested: Cell::new(false),
            cancel_on_enter: Cell::new(false),
            event_loop: Slot::empty(),
            parent_task: Slot::empty(),
            tasks: Roster::new(),
            errors: Slot::empty(),
            base_error: Slot::empty(),
            completed: Line::new(),
            body_class: Slot::empty(),
            body_exception: Slot::empty(),
            propagated: Slot::empty(),
            pending: Slot::empty(),
            number: Number::none(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.tasks.visit(visitor)?;
        self.completed.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
        self.tasks.clear();
        self.completed.clear();
    }
}

/// Whether no method can have been overridden.
#[inline]
fn is_exact(this: &GroupRef) -> bool {
    CLASS.is_untouched_class_of(this)
}

/// The task that awaits the children of `group`, if it is a group and entered.
#[cfg(Py_3_14)]
pub fn parent_of(group: &Object) -> Option<Object> {
    CLASS.instance(group)?.get().parent_task.get()
}

impl TaskGroup {
    /// The list of errors, made if there is none yet; None after the end.
    fn errors(&self) -> Result<Object> {
        if self.errors.is_empty() {
            self.errors.set(making::list(Vec::new())?);
        }
        Ok(self.errors.get_or_none())
    }

    /// `bool(self._errors)`.
    fn has_errors(&self) -> Result<bool> {
        if self.errors.is_empty() {
            return Ok(false);
        }
        self.errors.get_or_none().is_true()
    }

    fn add_error(&self, exception: &Object) -> Result<()> {
        let append = &globals().names.append;
        self.errors()?.invoke(append, [exception]).map(drop)
    }

    const fn slots(&self) -> [&Slot; 8] {
        [
            &self.event_loop,
            &self.parent_task,
            &self.errors,
            &self.base_error,
            &self.body_class,
            &self.body_exception,
            &self.propagated,
            &self.pending,
        ]
    }
}

/// Cancels every child that is not done; the group takes no more.
fn abort(this: &GroupRef) -> Result<()> {
    if is_exact(this) {
        return abort_children(this);
    }
    this.invoke(&globals().names.abort_privately, []).map(drop)
}

/// Cancels all tasks that are not done.
fn abort_children(this: &GroupRef) -> Result<()> {
    let group = this.get();
    group.aborting.set(true);
    // A copy: cancelling may run user code, which may change the roster.
    for child in group.tasks.to_vec()? {
        if !task::is_done(&child)? {
            task::cancel(&child)?;
        }
    }
    Ok(())
}

/// Cancels the parent, and notes that it was the group that did.
fn cancel_parent(this: &GroupRef) -> Result<()> {
    let group = this.get();
    group.parent_cancel_requested.set(true);
    task::cancel(&group.parent_task.get_or_none())
}

/// Whether an exception ends the program rather than a task: it is raised as it is.
fn is_base_error(this: &GroupRef, exception: &Object) -> Result<bool> {
    if is_exact(this) {
        return ends_the_program(exception);
    }
    let answer = this.invoke(&globals().names.is_base_error, [exception])?;
    answer.is_true()
}

/// The same for a group whose methods are our own. asyncio's group asserts that it is asked of an
/// exception.
fn ends_the_program(exception: &Object) -> Result<bool> {
    if !is_exception(exception) {
        return Err(making::raise_with(ExceptionClass::AssertionError, ())?);
    }
    Ok(is_of_class(exception, ExceptionClass::SystemExit)
        || is_of_class(exception, ExceptionClass::KeyboardInterrupt))
}

/// `RuntimeError(f"TaskGroup {self!r} {text}")`.
#[cold]
fn refusal(this: &GroupRef, text: &str) -> Raised {
    match making::represented(this) {
        Ok(group) => making::runtime_error(&format!("TaskGroup {group} {text}")),
        Err(raised) => raised,
    }
}
