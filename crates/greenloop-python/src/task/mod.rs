//! `Task`: a coroutine that the loop drives.
//!
//! ```text
//!              1 create                2 step                      3 returns, raises
//!   coroutine ──────────► ready ───────────────► running ─────────────────────────► done
//!                           ▲                      │
//!                           │ 5 wake or cancel     │ 4 yields a future
//!                           └──────── waiting ◄────┘
//! ```
//! 1 `Task::create` and `Task.__init__` · 2 `step::run_step` · 3 `step::finish` and `step::fail` ·
//! 4 `step::wait_for` · 5 the future's callback, `Callback::Wake`, or `Awaitable::wake`. An eager
//! task (3.12+) begins at 2, in its creator's turn.
//!
//! A step makes no handle, no function and no future: the ready queue holds the task itself, and so
//! does the future or awaitable that it waits for.
//!
//! What holds a task: the ready ring while a step is queued, and the callbacks of the future, or
//! the line, while it waits. The loop does not hold it otherwise, so a task that waits for what
//! nobody else holds is collected with it, and reports that it was destroyed while pending, as
//! asyncio's does.
//!
//! A task that was woken is in the ready ring while its `waiter` still names what has woken it: the
//! step takes the outcome from there. `must_cancel` is set where there is nothing to cancel: before
//! the first step, during a step, and between a wake-up and its step. A task that is done has left
//! the registry.

#[cfg(Py_3_14)]
mod base_fields;
mod cancellation;
mod class;
mod creation;
mod current;
mod gathering_future;
mod graph;
mod observed;
mod refusal;
mod registry;
mod requests;
mod step;
mod throwing;

use std::cell::Cell;

use greenloop_cpython::making;
use greenloop_cpython::{
    Class, ClassCell, ContextSlot, Derived, Extends, Layout, Native, Object, Result, Slot,
    SpareDerived, Visited, Visitor, extends, visit_slots,
};

use crate::asyncio::edition::UNCANCEL_WITHDRAWS;
use crate::asyncio::globals;
use crate::future::{Future, PENDING, report};
use crate::scheduler::TaskKind;

#[cfg(Py_3_14)]
pub use base_fields::{
    add_waiter, are_known as base_fields_are_known, verify as verify_base_fields,
};
pub use cancellation::cancel_waiter;
pub use class::make_classes;
pub use current::current_task;
pub use gathering_future::{
    CLASS as GATHERING_FUTURE, GatheringFuture, child_at, count as count_of_children,
};
pub use observed::{
    State, coroutine_of, last_step, number_of, state_of, stepping_number, waiter_of, waits_of,
};
pub use registry::{registered_tasks, set_task_set, show_native_tasks};
pub use requests::{cancel, cancelling, is_done, uncancel};
pub use step::{WAITING, run_step, step_handle};
pub use throwing::throw_into;

/// How many dead tasks are kept for new ones.
static SPARE: SpareDerived<Task> = SpareDerived::new();

/// The class.
pub static CLASS: Class<Task> = Class::new();

/// The C struct of `Task`: a future and the coroutine that drives it. All zeroes is a task that was
/// never initialised: its `coroutine` is empty.
#[repr(C)]
pub struct Task {
    /// The half that holds the outcome and those who wait for it. It comes first, so that a task is
    /// a future.
    future: Future,
    /// The coroutine, which may be in the base's field instead: see [`coroutine`](Self::coroutine).
    coroutine: Slot,
    /// The context of every step: the one given, or a copy made with the task.
    context: ContextSlot,
    /// The name, or empty while it is still the number's: most tasks are never asked.
    name: Slot,
    /// The future the task waits for.
    waiter: Slot,
    /// From a count of the process, taken only by tasks without a name.
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
    /// When its last step began, in ticks of a watch; 0 if nobody watched then.
    last_step: Cell<u32>,
}

// SAFETY: it begins with a future, which begins with the base's part, and its own fields are empty
// when they are zero.
unsafe impl Layout for Task {
    const OFFSET: usize = 0;
}

extends!(Task { future: Future });

// SAFETY: a kind without a value is at the beginning of any struct, and tasks begin with futures.
unsafe impl Extends<TaskKind> for Task {}

/// The task that a job holds, or a future that it waits for.
#[inline]
pub fn of_job(task: &Native<TaskKind>) -> &Native<Task> {
    // SAFETY: only `Task` extends the kind.
    unsafe { Native::from_ref(task) }
}

impl Task {
    /// `task._log_destroy_pending = False`, for a task of any class.
    ///
    /// For a task whose end its creator hears of in another way. An attribute of a foreign task is
    /// set by name.
    #[inline]
    pub fn stay_silent(task: &Object) -> Result<()> {
        if let Some(task) = CLASS.exactly(task) {
            task.get().log_destroy_pending.set(false);
            return Ok(());
        }
        let name = &globals().names.log_destroy_pending;
        task.set_attribute(name, &Object::boolean(false))
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
        if UNCANCEL_WITHDRAWS && requests == 0 && self.cancel_requests.get() > 0 {
            self.must_cancel.set(false);
        }
        self.cancel_requests.set(requests);
        requests
    }

    /// The name, made at the first request if the task was not given one.
    ///
    /// `Task-7` for the seventh task of the process that was not named.
    fn name(&self) -> Result<Object> {
        if self.name.is_empty() {
            let text = format!("Task-{}", self.number.get());
            self.name.set(making::text(&text)?);
        }
        Ok(self.name.get_or_none())
    }

    /// Whether a task that dies now has to be reported: nobody will ever step it.
    fn is_dropped_while_pending(&self) -> bool {
        self.future.state() == PENDING && self.log_destroy_pending.get()
    }

    const fn slots(&self) -> [&Slot; 3] {
        [&self.coroutine, &self.name, &self.waiter]
    }
}

// SAFETY: it begins with a future, and `_asyncio`'s functions take a task of theirs whose
// `__init__` has not run. The slots, the context and the future's part are different fields.
unsafe impl Derived for Task {
    fn base() -> &'static Object {
        &globals().asyncio.task
    }

    fn class() -> &'static Class<Self> {
        &CLASS
    }

    fn spare() -> &'static SpareDerived<Self> {
        &SPARE
    }

    fn has_something_to_report(&self) -> bool {
        self.is_dropped_while_pending() || self.future.log_traceback().get()
    }

    /// Reports a task that is deallocated while it waits, then an exception that was never
    /// retrieved.
    fn finalise(this: &Native<Task>) {
        let task = this.get();
        // Code that resurrects the task by keeping the report does not bring it back into the list.
        registry::forget(task);
        if task.is_dropped_while_pending() {
            let names = &globals().names;
            report(
                this.up(),
                "Task was destroyed but it is pending!",
                &[(&names.task, this)],
            );
        }
        Future::finalise(this.up());
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
fn context_of(task: &Native<Task>) -> Result<Object> {
    task.get().context.get()
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 2] {
    [("Task", &CLASS), ("_GatheringFuture", &GATHERING_FUTURE)]
}
