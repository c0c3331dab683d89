//! `Task`: a coroutine that the loop drives.
//!
//! ```text
//!              1 create                2 step                      3 returns, raises
//!   coroutine ──────────► ready ───────────────► running ─────────────────────────► done
//!                           ▲                      │
//!                           │ 5 wake or cancel     │ 4 yields a future
//!                           └──────── waiting ◄────┘
//! ```
//! 1 `Task::create` and `Task.__init__` · 2 `step::run_step` · 3 `step::finish` · 4
//! `step::wait_for` · 5 the future's callback, `Callback::Wake`. An eager task (3.12+) begins at 2,
//! in its creator's turn.
//!
//! A step makes no handle, no function and no future: the ready queue holds the task itself, and so
//! does the future it waits for.

#[cfg(Py_3_14)]
mod base_fields;
mod cancellation;
mod class;
mod creation;
mod current;
mod gathering_future;
mod graph;
mod refusal;
mod registry;
mod requests;
mod step;

use std::cell::Cell;

use greenloop_cpython::making;
use greenloop_cpython::{
    ContextSlot, Freelist, Object, Result, Slot, Visited, Visitor, visit_slots,
};
use pyo3::ffi;

use crate::asyncio::globals;
use crate::future::{Derived, Future, PENDING, report};

#[cfg(Py_3_14)]
pub use base_fields::verify as verify_base_fields;
pub use cancellation::cancel_waiter;
pub use class::make_class;
pub use current::current_task;
pub use gathering_future::{
    GatheringFuture, child_at, count as count_of_children,
    make_class as make_gathering_future_class,
};
pub use registry::{registered_tasks, set_task_set, show_native_tasks};
pub use requests::{cancel, cancelling, is_done, uncancel};
pub use step::{WAITING, run_step, step_handle};

/// How many dead tasks are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// The C struct of `Task`: a future and the coroutine that drives it. All zeroes is a task that was
/// never initialised: its `coroutine` is empty.
#[repr(C)]
pub struct Task {
    future: Future,
    /// The coroutine, which may be in the base's field instead: see [`coroutine`](Self::coroutine).
    coroutine: Slot,
    context: ContextSlot,
    /// The name, or empty while it is still the number's: most tasks are never asked.
    name: Slot,
    /// The future the task waits for.
    waiter: Slot,
    number: Cell<u64>,
    /// The task's place in the registry, counted from 1, or 0 for none.
    place: Cell<usize>,
    /// `cancelling()`: calls of `cancel` less calls of `uncancel`.
    cancel_requests: Cell<u32>,
    /// The task's place in the roster of its task group, counted from 1, or 0 for none.
    group_place: Cell<u32>,
    /// Set by `cancel` if there was no future to cancel; the next step throws `CancelledError`.
    must_cancel: Cell<bool>,
    /// Whether to report that the task was dropped while it waited.
    log_destroy_pending: Cell<bool>,
}

impl Task {
    /// The struct behind one of our `Task`s.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass instances of our class only: receivers of its methods, jobs, and
        // callbacks that wake.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// `task._log_destroy_pending = False`, for a task of any class.
    #[inline]
    pub fn stay_silent(task: &Object) -> Result<()> {
        let globals = globals();
        if task.is_exactly(globals.classes.task.as_ptr()) {
            Task::of(task).log_destroy_pending.set(false);
            return Ok(());
        }
        task.set_attribute(&globals.names.log_destroy_pending, &Object::boolean(false))
    }

    /// The field in which the coroutine stands.
    #[inline]
    #[cfg_attr(
        not(Py_3_14),
        expect(clippy::missing_const_for_fn, reason = "is not constant from 3.14 on")
    )]
    fn coroutine(&self) -> &Slot {
        #[cfg(Py_3_14)]
        return base_fields::coroutine(self);
        #[cfg(not(Py_3_14))]
        &self.coroutine
    }

    /// Has `CancelledError` thrown into the coroutine at the next step, since there is nothing to
    /// cancel.
    fn cancel_at_next_step(&self, message: Option<&Object>) {
        self.must_cancel.set(true);
        self.future.cancel_message().set_optional(message.cloned());
    }

    /// The task's place in the roster of its task group.
    #[inline]
    pub const fn group_place(&self) -> &Cell<u32> {
        &self.group_place
    }

    /// `Task.uncancel()`: takes one request back; returns how many are left.
    fn uncancel(&self) -> u32 {
        let requests = self.cancel_requests.get().saturating_sub(1);
        if cfg!(Py_3_13) && requests == 0 && self.cancel_requests.get() > 0 {
            self.must_cancel.set(false);
        }
        self.cancel_requests.set(requests);
        requests
    }

    /// The name, made at the first request if the task was not given one.
    fn name(&self) -> Result<Object> {
        if self.name.is_empty() {
            let text = format!("Task-{}", self.number.get());
            self.name.set(making::text(&text)?);
        }
        Ok(self.name.get_or_none())
    }

    fn is_dropped_while_pending(&self) -> bool {
        self.future.state() == PENDING && self.log_destroy_pending.get()
    }

    const fn slots(&self) -> [&Slot; 3] {
        [&self.coroutine, &self.name, &self.waiter]
    }
}

impl Derived for Task {
    fn base() -> &'static Object {
        &globals().asyncio.task
    }

    fn class() -> *mut ffi::PyTypeObject {
        globals().classes.task.as_ptr()
    }

    fn spare() -> &'static Freelist<256> {
        &SPARE
    }

    fn has_something_to_report(&self) -> bool {
        self.is_dropped_while_pending() || self.future.log_traceback().get()
    }

    /// Reports a task that is deallocated while it waits, then an exception that was never
    /// retrieved.
    fn finalise(this: &Object) {
        let task = Task::of(this);
        // Code that resurrects the task by keeping the report does not bring it back into the list.
        registry::forget(task);
        if task.is_dropped_while_pending() {
            let names = &globals().names;
            report(
                this,
                "Task was destroyed but it is pending!",
                &[(&names.task, this)],
            );
        }
        Future::finalise(this);
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.context.visit(visitor)?;
        self.future.visit(visitor)
    }

    fn clear(&self) {
        registry::forget(self);
        self.log_destroy_pending.set(false);
        for slot in self.slots() {
            slot.clear();
        }
        self.context.clear();
        self.future.clear();
    }
}

/// The context a task's steps run in.
fn context_of(task: &Object) -> Result<Object> {
    Task::of(task).context.get()
}
