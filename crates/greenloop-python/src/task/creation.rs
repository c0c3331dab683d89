//! The beginning of a task: its arguments are checked, and its first step is queued or run.
//!
//! ```text
//!   create_task ─► create ─► allocate ─► check ─► begin ─► wake: Job::Step, in the next turn
//!   ensure_future ─► spawn ────┘                   └─────► start_eagerly: in this call
//!   Task(…) ─────► __init__ ─────────────► check ─► begin
//! ```
//! All that can fail on account of the arguments is in `check`, before the task has changed.

use std::sync::atomic::{AtomicU64, Ordering};

use greenloop_cpython::{Arguments, Native, Object, Result, fetch, making, type_error};

use super::{Task, registry, step};
use crate::asyncio::edition::{TASKS_CHECK_CONTEXT, edition};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, is_coroutine};
use crate::future::wake;
use crate::observing::{is_recording, tell_new_task};
use crate::scheduler::Scheduler;

/// The parts of a new task, besides its loop.
pub struct Start<'a> {
    /// The object to drive, not yet known to be a coroutine.
    pub coroutine: &'a Object,
    /// Any object, of which `str` is the name; None for a name by number.
    pub name: Option<&'a Object>,
    /// The context of all steps; None for a copy of the current one, taken now (PEP 567).
    pub context: Option<&'a Object>,
    /// Whether the first step is taken in the creator's call, if the loop runs (3.12+).
    pub eager: bool,
}

impl Task {
    /// `event_loop.create_task(coro, *, name=None, context=None, eager_start=…)`.
    ///
    /// Raises a `TypeError` for arguments that `create_task` of the running asyncio does not take,
    /// and for what is no coroutine. `eager_by_default` is what the loop's task factory says.
    #[inline]
    pub fn create(
        event_loop: &Object,
        scheduler: &Scheduler,
        start: &Arguments<'_>,
        eager_by_default: bool,
    ) -> Result<Native<Self>> {
        let names = &globals().names;
        let parameters = [&names.coro, &names.name, &names.context, &names.eager_start];
        let [coroutine, name, context, eager] =
            start.bind(c"BaseEventLoop.create_task", parameters, 1, 1)?;
        let task = Self::allocate(event_loop, scheduler)?;
        let none = Object::none();
        let coroutine = coroutine.unwrap_or(&none);
        if eager.is_some() && !edition().create_task_takes_eager_start {
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
        let name = task.get().check(&start)?;
        Task::begin(&task, &start, name)?;
        Ok(task)
    }

    /// `event_loop.create_task(coroutine)` on a loop that makes native tasks.
    ///
    /// For native code that makes tasks of coroutines, such as `ensure_future` and with it
    /// `gather`.
    #[inline]
    pub fn spawn(
        event_loop: &Object,
        scheduler: &Scheduler,
        coroutine: &Object,
        eager: bool,
    ) -> Result<Native<Self>> {
        let task = Self::allocate(event_loop, scheduler)?;
        let start = Start {
            coroutine,
            name: None,
            context: None,
            eager,
        };
        let name = task.get().check(&start)?;
        Task::begin(&task, &start, name)?;
        Ok(task)
    }

    /// A task that is bound to its loop.
    #[inline]
    fn allocate(event_loop: &Object, scheduler: &Scheduler) -> Result<Native<Self>> {
        let task = Native::<Self>::allocate()?;
        let future = &task.get().future;
        future.attach(event_loop, scheduler);
        if scheduler.debug() {
            future.remember_source()?;
        }
        Ok(task)
    }

    /// Refuses arguments that a task cannot begin with, and returns the text of its name, if it is
    /// given one.
    ///
    /// Runs code of the program for a name that is no string, and for an object that only looks
    /// like a coroutine.
    #[inline]
    pub fn check(&self, start: &Start<'_>) -> Result<Option<Object>> {
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
        name.map(Object::text).transpose()
    }

    /// Takes the coroutine over and schedules its first step, or runs it if the task is eager. The
    /// future half is bound to its loop already, and the arguments are [checked](Self::check).
    ///
    /// Either way the task is registered, so that `all_tasks()` shows it until it is done. Raises a
    /// `MemoryError`, and what the eager step raises.
    pub fn begin(this: &Native<Task>, start: &Start<'_>, name: Option<Object>) -> Result<()> {
        let task = this.get();
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
        if is_recording() {
            task.tell_creation(start.coroutine);
        }
        if start.eager && task.loop_is_running()? {
            return step::start_eagerly(this);
        }
        wake(this.up().clone())?;
        registry::register(this)
    }

    /// Tells an observer of the new task.
    #[cold]
    fn tell_creation(&self, coroutine: &Object) {
        let name = self.name.get();
        let qualified = qualified_name(coroutine);
        let number = self.future.number();
        tell_new_task(number, name.as_ref(), self.number.get(), &qualified);
    }

    /// Whether the task's loop runs: an eager start outside of a run would have no running loop.
    fn loop_is_running(&self) -> Result<bool> {
        let event_loop = self.future.event_loop().get_or_none();
        if let Some(scheduler) = Scheduler::of(&event_loop) {
            return Ok(scheduler.runs());
        }
        event_loop
            .invoke(&globals().names.is_running, [])?
            .is_true()
    }
}

/// The name of a coroutine's function, for an observer; of an object that only looks like a
/// coroutine, the name of its class.
fn qualified_name(coroutine: &Object) -> String {
    let is_own = coroutine.is_plain_coroutine() || Awaitable::is_native(coroutine);
    let name = if is_own {
        let name = making::interned(c"__qualname__").and_then(|name| coroutine.attribute(&name));
        name.map(|name| name.as_str().map(str::to_owned))
    } else {
        making::class_name(coroutine).map(Some)
    };
    // For want of memory it has no name.
    name.unwrap_or_else(|raised| {
        drop(fetch(raised));
        None
    })
    .unwrap_or_default()
}

/// The number of the next task that is not named.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// Takes a number. The GIL makes the two accesses one; an atomic addition would cost more.
fn next_number() -> u64 {
    let number = NEXT_NUMBER.load(Ordering::Relaxed);
    NEXT_NUMBER.store(number + 1, Ordering::Relaxed);
    number
}

/// Refuses an object that is no context, if the running asyncio does.
fn check_context(context: &Object) -> Result<()> {
    if TASKS_CHECK_CONTEXT && !context.is_context() {
        let text = making::represented(context)?;
        return Err(type_error(&format!(
            "expected contextvars.Context, got {text}"
        )));
    }
    Ok(())
}
