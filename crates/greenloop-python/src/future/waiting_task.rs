//! The tasks that wait for a future or an awaitable, as those see them: how one is woken, and what
//! only a task can answer.
//!
//! Tasks are above futures and awaitables, so the functions are handed in. The most frequent
//! request needs none of them: a task on one of our loops is woken by a push into its queue.

use std::sync::OnceLock;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::{Native, Object, Result, making};

use super::Future;
use crate::observing::{is_recording, tell_wake};
use crate::scheduler::{Job, Scheduler, TaskKind};

/// The functions.
pub struct WaitingTask {
    /// Queues a task's next step where its loop has to see `call_soon` called.
    pub schedule: fn(&Native<TaskKind>) -> Result<()>,
    /// `waiter.cancel(msg=message)`, of any object that a task waits for.
    pub cancel: fn(&Object, Option<&Object>) -> Result<bool>,
    /// The callback that `_callbacks` shows for a task, and its context.
    pub callback: fn(&Native<TaskKind>) -> Result<(Object, Object)>,
    /// What the wait for a future is for: a task's end, what `gather` gathers, or just a result.
    pub kind: fn(&Native<Future>) -> WaitKind,
    /// `_asyncio_awaited_by` of a future.
    #[cfg(Py_3_14)]
    pub awaited_by: fn(&Native<Future>) -> Result<Object>,
}

static WAITING_TASK: OnceLock<&'static WaitingTask> = OnceLock::new();

/// Hands the functions in. Called once, by the module's import.
pub fn set_waiting_task(functions: &'static WaitingTask) {
    let _ = WAITING_TASK.set(functions);
}

/// The functions; an error before they were handed in.
pub fn waiting_task() -> Result<&'static WaitingTask> {
    let functions = WAITING_TASK.get().copied();
    functions.ok_or_else(|| making::runtime_error("greenloop is not imported yet"))
}

/// The future that a task is.
#[inline]
pub fn future_of(task: &Native<TaskKind>) -> &Native<Future> {
    // SAFETY: only `Task` extends the kind, whose struct begins with a future's.
    unsafe { Native::from_ref(task) }
}

/// Queues a step of a task that waits no more.
///
/// The step never runs inside this call: a job that wakes a task has it stepped in the next turn.
/// On a loop with overrides or in debug mode its `call_soon` is called, which may raise.
#[inline]
pub fn wake(task: Native<TaskKind>) -> Result<()> {
    if is_recording() {
        tell_wake(future_of(&task).get().number());
    }
    match future_of(&task).get().fast_loop() {
        Some(scheduler) => {
            // SAFETY: the queue's job holds the task, which holds its loop.
            let scheduler: &Scheduler = unsafe { &*std::ptr::from_ref(scheduler) };
            scheduler.push(Job::Step(task));
            Ok(())
        }
        None => wake_by_name(&task),
    }
}

#[cold]
fn wake_by_name(task: &Native<TaskKind>) -> Result<()> {
    (waiting_task()?.schedule)(task)
}
