//! A task's steps and its end, as they are told to an observer.

use greenloop_core::observe::{Outcome, WaitKind};
use greenloop_cpython::{Native, Object, Result, fetch, making, report_unraisable, restore};

use super::step::advance;
use super::{CLASS, GATHERING_FUTURE, Task};
use crate::asyncio::globals;
use crate::future::{Future, PENDING};
use crate::observing::{Step, tell_finish};

/// A step that is told to an observer.
///
/// What a task waits for is told by the object that it awaits, unless that is of another library,
/// or the task only lets others run.
#[cold]
#[inline(never)]
pub(super) fn take_step(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    let step = Step::begin(this.get().future.number());
    let outcome = advance(this, exception);
    let task = this.get();
    if task.future.state() == PENDING {
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
