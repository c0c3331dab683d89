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
mod current;
mod gathering_future;
mod graph;
mod refusal;
mod registry;
mod requests;
mod step;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, ContextSlot, Freelist, Object, Result, Slot, Visited, Visitor, call_method,
    type_error, visit_slots,
};
use pyo3::ffi;

use crate::asyncio::{globals, is_coroutine};
use crate::future::{Derived, Future, PENDING, WaitingTask, report, wake};
use crate::scheduler::Scheduler;

#[cfg(Py_3_14)]
pub use base_fields::verify as verify_base_fields;
pub use cancellation::cancel_waiter;
pub use class::make_class;
pub use current::current_task;
pub use gathering_future::{
    GatheringFuture, child_at, count as count_of_children,
    make_class as make_gathering_future_class,
};
#[cfg(Py_3_14)]
use graph::awaited_by;
pub use registry::{registered_tasks, set_task_set, show_native_tasks};
pub use requests::{cancel, cancelling, is_done, uncancel};
pub use step::{run_step, step_handle};

use step::wakeup_function;

/// What futures and awaitables ask of the tasks that wait for them.
pub static WAITING: WaitingTask = WaitingTask {
    schedule: |task| step::schedule(task, None),
    cancel: cancel_waiter,
    callback: |task| Ok((wakeup_function(task)?, context_of(task)?)),
    #[cfg(Py_3_14)]
    awaited_by,
};

/// How many dead tasks are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// The number of the next task that is not named.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// Takes a number. The GIL makes the two accesses one; an atomic addition would cost more.
fn next_number() -> u64 {
    let number = NEXT_NUMBER.load(Ordering::Relaxed);
    NEXT_NUMBER.store(number + 1, Ordering::Relaxed);
    number
}

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

/// The parts of a new task, besides its loop.
struct Start<'a> {
    coroutine: &'a Object,
    name: Option<&'a Object>,
    context: Option<&'a Object>,
    eager: bool,
}

impl Task {
    /// The struct behind one of our `Task`s.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass instances of our class only: receivers of its methods, jobs, and
        // callbacks that wake.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// `event_loop.create_task(coro, *, name=None, context=None, eager_start=…)`.
    #[inline]
    pub fn create(
        event_loop: &Object,
        scheduler: &Scheduler,
        start: &Arguments<'_>,
        eager_by_default: bool,
    ) -> Result<Object> {
        let names = &globals().names;
        let parameters = [&names.coro, &names.name, &names.context, &names.eager_start];
        let [coroutine, name, context, eager] =
            start.bind(c"BaseEventLoop.create_task", parameters, 1, 1)?;
        let task = Self::allocate(event_loop, scheduler)?;
        let none = Object::none();
        let coroutine = coroutine.unwrap_or(&none);
        if eager.is_some() && !globals().create_task_takes_eager_start {
            return Err(type_error(
                "create_task() got an unexpected keyword argument 'eager_start'",
            ));
        }
        let eager = eager.map_or(Ok(eager_by_default), Object::is_true)?;
        let start = Start {
            coroutine,
            name,
            context,
            eager,
        };
        let name = Task::of(&task).check(&start)?;
        Task::begin(&task, &start, name)?;
        Ok(task)
    }

    /// `event_loop.create_task(coroutine)` on a loop that makes native tasks.
    #[inline]
    pub fn spawn(
        event_loop: &Object,
        scheduler: &Scheduler,
        coroutine: &Object,
        eager: bool,
    ) -> Result<Object> {
        let task = Self::allocate(event_loop, scheduler)?;
        let start = Start {
            coroutine,
            name: None,
            context: None,
            eager,
        };
        let name = Task::of(&task).check(&start)?;
        Task::begin(&task, &start, name)?;
        Ok(task)
    }

    /// A task that is bound to its loop.
    #[inline]
    fn allocate(event_loop: &Object, scheduler: &Scheduler) -> Result<Object> {
        let class = globals().classes.task.as_ptr();
        // SAFETY: `Task` is the class's struct, and the list serves it alone.
        let task =
            unsafe { Object::from_owned(SPARE.allocate_with_attributes::<Task>(class)?.cast()) };
        let future = &Task::of(&task).future;
        future.attach(event_loop, scheduler);
        if scheduler.debug() {
            future.remember_source()?;
        }
        Ok(task)
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

    /// Refuses arguments that a task cannot begin with, and returns the text of its name, if it is
    /// given one.
    #[inline]
    fn check(&self, start: &Start<'_>) -> Result<Option<Object>> {
        if !is_coroutine(start.coroutine)? {
            self.log_destroy_pending.set(false);
            let text = making::represented(start.coroutine)?;
            return Err(type_error(&format!("a coroutine was expected, got {text}")));
        }
        if let Some(context) = start.context.filter(|context| !context.is_none()) {
            check_context(context)?;
        }
        let name = start.name.filter(|name| !name.is_none());
        if name.is_some() {
            // As in asyncio, a task whose name raises is reported when it is deallocated.
            self.log_destroy_pending.set(true);
        }
        name.map(as_string).transpose()
    }

    /// Takes the coroutine over and schedules its first step, or runs it if the task is eager. The
    /// future half is bound to its loop already, and the arguments are [checked](Self::check).
    fn begin(this: &Object, start: &Start<'_>, name: Option<Object>) -> Result<()> {
        let task = Task::of(this);
        task.context.set(start.context)?;
        task.waiter.clear();
        task.must_cancel.set(false);
        task.cancel_requests.set(0);
        task.log_destroy_pending.set(true);
        match name {
            None => task.number.set(next_number()),
            Some(name) => task.name.set(name),
        }
        task.coroutine().set(start.coroutine.clone());
        if start.eager && task.loop_is_running()? {
            return step::start_eagerly(this);
        }
        wake(this.clone())?;
        registry::register(this)
    }

    fn loop_is_running(&self) -> Result<bool> {
        let event_loop = self.future.event_loop().get_or_none();
        if let Some(scheduler) = Scheduler::of(&event_loop) {
            return Ok(scheduler.runs());
        }
        call_method(&globals().names.is_running, &[event_loop.as_ptr()])?.is_true()
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

/// Refuses, from 3.15 on, an object that is no context; older versions notice it at the first step.
fn check_context(context: &Object) -> Result<()> {
    // SAFETY: `context` is a valid object.
    if cfg!(Py_3_15) && unsafe { ffi::PyContext_CheckExact(context.as_ptr()) } == 0 {
        let text = making::represented(context)?;
        return Err(type_error(&format!(
            "expected contextvars.Context, got {text}"
        )));
    }
    Ok(())
}

/// `str(name)`, or the name itself if it is one.
fn as_string(name: &Object) -> Result<Object> {
    // SAFETY: `name` is a valid object.
    unsafe {
        if ffi::PyUnicode_CheckExact(name.as_ptr()) != 0 {
            return Ok(name.clone());
        }
        Object::from_returned(ffi::PyObject_Str(name.as_ptr()))
    }
}
