//! A task's steps and its end, as they are told to an observer, and what it waits for now.

use greenloop_core::observe::{Outcome, WaitKind};
use greenloop_cpython::{
    Native, Object, Result, awaited_in_suspense, fetch, making, report_unraisable, restore,
};

use super::step::advance;
use super::{CLASS, GATHERING_FUTURE, Task, of_job};
use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::future::{Future, PENDING};
use crate::observing::{Step, Wait, tell_finish, tick};
use crate::scheduler::stepping;

/// A step that is told to an observer.
///
/// What a task waits for is told by the object that it awaits, unless that is of another library,
/// or the task only lets others run.
#[cold]
#[inline(never)]
pub(super) fn take_step(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    let task = this.get();
    note_step(task);
    let mut step = Step::begin(task.future.number());
    let outcome = advance(this, exception);
    if task.future.state() == PENDING && !Step::has_waited() {
        let kind = match task.waiter.get() {
            None => WaitKind::Yield,
            Some(awaited) => kind_of_foreign(&awaited),
        };
        step.waits(kind, &task.coroutine().get_or_none());
    }
    // Names are looked for after all that a step does. An exception that leaves it stays set.
    let outcome = outcome.map_err(fetch);
    if let Err(raised) = step.find_names(this) {
        report_unraisable(raised, this);
    }
    outcome.map_err(restore)
}

/// Notes that a step begins, for those who watch.
pub(super) fn note_step(task: &Task) {
    task.last_step.set(tick());
    if let Some(scheduler) = task.future.native_loop() {
        scheduler.pulse().beat();
    }
}

/// Tells that the task has ended, with `outcome` unless it was cancelled.
#[cold]
pub(super) fn tell_end(task: &Task, cancelled: bool, outcome: Outcome) {
    let outcome = if cancelled {
        Outcome::Cancelled
    } else {
        outcome
    };
    tell_finish(task.future.number(), outcome);
}

/// How a task stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has ended.
    Done,
    /// It will run.
    Ready,
    /// It waits, or runs: the loop knows which.
    Waiting,
}

/// A task's wait at a moment.
pub struct Waits {
    /// What it waits for.
    pub wait: Wait,
    /// The object of its coroutines that says so: an awaitable of ours, or a future of any class.
    pub awaited: Object,
}

/// The number of a task, for an observer.
pub fn number_of(this: &Native<Task>) -> u32 {
    this.get().future.number().get()
}

/// The number of the task of ours whose coroutine runs in this thread, or 0.
pub fn stepping_number() -> u32 {
    stepping().map_or(0, |task| number_of(of_job(&task)))
}

/// When its last step began, in ticks of the watch; 0 if nobody watched then.
pub fn last_step(this: &Native<Task>) -> u32 {
    this.get().last_step.get()
}

/// The coroutine of a task, if it still has one.
pub fn coroutine_of(this: &Native<Task>) -> Option<Object> {
    this.get().coroutine().get()
}

/// The object that a task waits for, of any class.
pub fn waiter_of(this: &Native<Task>) -> Option<Object> {
    this.get().waiter.get()
}

/// How a task stands. A future of another class is taken for pending.
pub fn state_of(this: &Native<Task>) -> State {
    let task = this.get();
    if task.future.state() != PENDING {
        return State::Done;
    }
    let Some(waiter) = task.waiter.get() else {
        return State::Ready;
    };
    let waits = match (Awaitable::native(&waiter), Future::native(&waiter)) {
        (Some(awaitable), _) => awaitable.get().is_blocked(),
        (None, Some(future)) => future.get().state() == PENDING,
        (None, None) => true,
    };
    if waits { State::Waiting } else { State::Ready }
}

/// What a task waits for, if it waits. Runs no Python code.
///
/// The outermost awaitable of ours that describes a wait is the one that the program has written;
/// what that awaits in turn is a part of it.
pub fn waits_of(this: &Native<Task>) -> Option<Waits> {
    let task = this.get();
    let innermost = task.waiter.get()?;
    let mut next = task.coroutine().get();
    while let Some(object) = next {
        next = match Awaitable::native(&object) {
            None => awaited_in_suspense(&object),
            Some(awaitable) => match Awaitable::waits_for(awaitable) {
                (Some(wait), _) => {
                    return Some(Waits {
                        wait,
                        awaited: object,
                    });
                }
                (None, delegate) => delegate,
            },
        };
    }
    Some(Waits {
        wait: wait_for_future(&innermost),
        awaited: innermost,
    })
}

/// What the wait for a future of any class is for, or for an awaitable that does not say.
fn wait_for_future(awaited: &Object) -> Wait {
    if let Some(awaitable) = Awaitable::native(awaited) {
        let described = Awaitable::waits_for(awaitable).0;
        return described.unwrap_or_else(|| Wait::of(WaitKind::Foreign));
    }
    match Future::native(awaited) {
        Some(future) => Wait::on(kind_of_wait(future), future.get().number()),
        None => Wait::of(kind_of_foreign(awaited)),
    }
}

/// What the wait for a future of ours is for.
pub(super) fn kind_of_wait(future: &Native<Future>) -> WaitKind {
    if CLASS.is_class_of(future) {
        WaitKind::Task
    } else if GATHERING_FUTURE.is_class_of(future) {
        WaitKind::Gather
    } else {
        WaitKind::Future
    }
}

/// What the wait for a future of another class is for.
#[cold]
fn kind_of_foreign(awaited: &Object) -> WaitKind {
    let asyncio = &globals().asyncio;
    if awaited.has_class(&asyncio.task) {
        return WaitKind::Task;
    }
    if awaited.has_class(&asyncio.future) {
        return WaitKind::Future;
    }
    match making::class_name(awaited) {
        Ok(name) if name == "_GatheringFuture" => WaitKind::Gather,
        Ok(_) => WaitKind::Foreign,
        Err(raised) => {
            drop(fetch(raised));
            WaitKind::Foreign
        }
    }
}
