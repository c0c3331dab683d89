//! What the rooms tell: a function for each sort of event. All are out of line, since they are
//! called only while somebody records.

use std::cell::Cell;

use greenloop_core::observe::{EventBody, EventKind, Outcome, WaitKind, WakeCause};
use greenloop_cpython::{Object, Result};

use super::Number;
use super::holders;
use super::mode::{is_recording, is_watching};
use super::recorder::{Recorder, with_recorder};

thread_local! {
    /// What this thread does.
    static THREAD: Activity = const { Activity::none() };
}

/// What a thread does, as far as events name it.
struct Activity {
    /// The task whose step runs, or 0.
    actor: Cell<u32>,
    /// Whether the step has said what the task waits for.
    has_waited: Cell<bool>,
    /// Why tasks are woken now, if not because of the task that runs.
    cause: Cell<Option<WakeCause>>,
}

impl Activity {
    const fn none() -> Self {
        Self {
            actor: Cell::new(0),
            has_waited: Cell::new(false),
            cause: Cell::new(None),
        }
    }
}

/// What a task waits for, as an awaitable's operation describes it.
pub struct Wait {
    /// The kind of wait.
    pub kind: WaitKind,
    /// The number of the resource or task, or 0.
    pub number: u32,
    /// The time until a sleep ends, in seconds.
    pub remaining: Option<f64>,
}

impl Wait {
    /// A wait for nothing that has a number.
    pub const fn of(kind: WaitKind) -> Self {
        Self {
            kind,
            number: 0,
            remaining: None,
        }
    }

    /// A wait for a resource or task.
    #[inline]
    pub fn on(kind: WaitKind, number: &Number) -> Self {
        let is_future = matches!(kind, WaitKind::Future | WaitKind::Task | WaitKind::Gather);
        Self {
            number: if is_future {
                number.get()
            } else {
                number_of_resource(kind, number)
            },
            ..Self::of(kind)
        }
    }
}

/// The number of a resource, which waits of this kind are for. Its first event is preceded by one
/// that says so.
fn number_of_resource(kind: WaitKind, number: &Number) -> u32 {
    let known = number.known();
    let number = number.get();
    let made = EventBody {
        other: number,
        detail: kind.number(),
        ..body(EventKind::ResourceMade)
    };
    with_recorder(|recorder| {
        if known == 0 || recorder.is_older(known) {
            recorder.introduce(made);
        }
    });
    number
}

/// The body of an event in the task that runs, if one does.
fn body(kind: EventKind) -> EventBody {
    EventBody {
        task: THREAD.with(|thread| thread.actor.get()),
        ..EventBody::new(kind)
    }
}

/// Tells of an event that concerns a resource, which waits of the kind `of` are for.
#[cold]
#[inline(never)]
pub fn tell(kind: EventKind, of: WaitKind, other: &Number, value: i64) {
    let body = EventBody {
        other: number_of_resource(of, other),
        value,
        ..body(kind)
    };
    with_recorder(|recorder| recorder.write(body));
}

/// Tells of an event of a loop itself.
#[cold]
#[inline(never)]
pub fn tell_of_loop(kind: EventKind, value: i64) {
    let body = EventBody {
        value,
        ..body(kind)
    };
    with_recorder(|recorder| recorder.write(body));
}

/// Tells that the task that runs has acquired a lock or a permit, at the place where the program
/// has called us. `holder` says which task that is, or 0.
#[cold]
#[inline(never)]
pub fn tell_acquired(of: WaitKind, other: &Number, holder: fn() -> u32) {
    let body = EventBody {
        other: number_of_resource(of, other),
        ..body(EventKind::Acquired)
    };
    if is_watching() {
        holders::acquired(body.other, holder());
    }
    with_recorder(|recorder| recorder.write_at_place(body));
}

/// Tells that the task that runs has released a lock, or a permit, of which `free` are left.
/// `holder` says which task that is, or 0.
#[cold]
#[inline(never)]
pub fn tell_released(of: WaitKind, other: &Number, free: i64, holder: fn() -> u32) {
    let body = EventBody {
        other: number_of_resource(of, other),
        value: free,
        ..body(EventKind::Released)
    };
    if is_watching() {
        holders::released(body.other, holder());
    }
    with_recorder(|recorder| recorder.write(body));
}

/// Tells of something that is done to a task, with the place of the Python code that has called us.
fn tell_of_task(kind: EventKind, task: &Number) {
    let body = EventBody {
        other: task.get(),
        ..body(kind)
    };
    with_recorder(|recorder| recorder.write_at_place(body));
}

/// Tells of a new task. Its name is the given one, or `Task-` and its automatic number.
#[cold]
#[inline(never)]
pub fn tell_new_task(task: &Number, name: Option<&Object>, automatic: u64, coroutine: &str) {
    tell_of_task(EventKind::TaskCreated, task);
    with_recorder(|recorder| {
        let value = match name.and_then(Object::as_str) {
            Some(name) => -i64::from(recorder.name(name)),
            None => i64::try_from(automatic).unwrap_or(0),
        };
        let site = recorder.name(coroutine);
        recorder.write(EventBody {
            other: task.get(),
            site,
            value,
            ..EventBody::new(EventKind::Named)
        });
    });
}

/// Tells that a task has finished.
#[cold]
#[inline(never)]
pub fn tell_finish(task: &Number, outcome: Outcome) {
    let body = EventBody {
        task: task.get(),
        detail: outcome.number(),
        ..EventBody::new(EventKind::TaskFinished)
    };
    with_recorder(|recorder| recorder.write(body));
}

/// Tells that a task is asked to end.
#[cold]
#[inline(never)]
pub fn tell_cancel_request(task: &Number) {
    tell_of_task(EventKind::CancelRequested, task);
}

/// Tells what the task that runs waits for. The last one that a step tells is the one that counts.
#[cold]
#[inline(never)]
pub fn tell_wait(wait: &Wait) {
    let task = THREAD.with(|thread| {
        thread.has_waited.set(true);
        thread.actor.get()
    });
    let body = EventBody {
        task,
        other: wait.number,
        detail: wait.kind.number(),
        ..EventBody::new(EventKind::WaitBegan)
    };
    with_recorder(|recorder| recorder.write_wait(body, wait.remaining));
}

/// Tells that a task is ready.
#[cold]
#[inline(never)]
pub fn tell_wake(task: &Number) {
    let (waker, cause) = THREAD.with(|thread| (thread.actor.get(), thread.cause.get()));
    let otherwise = if waker == 0 {
        WakeCause::Callback
    } else {
        WakeCause::Task
    };
    let body = EventBody {
        task: waker,
        other: task.get(),
        detail: cause.unwrap_or(otherwise).number(),
        ..EventBody::new(EventKind::Woken)
    };
    with_recorder(|recorder| recorder.write(body));
}

/// Runs `action`, which wakes tasks, and tells why.
#[inline]
pub fn because_of<R>(cause: WakeCause, action: impl FnOnce() -> R) -> R {
    if !is_recording() {
        return action();
    }
    let _cause = Cause(THREAD.with(|thread| thread.cause.replace(Some(cause))));
    action()
}

/// The cause before, put back in the end, even by a panic.
struct Cause(Option<WakeCause>);

impl Drop for Cause {
    fn drop(&mut self) {
        THREAD.with(|thread| thread.cause.set(self.0));
    }
}

/// A step that is told of. Steps nest where a task starts another one eagerly.
pub struct Step {
    /// The number of the task.
    task: u32,
    /// The number of the task whose step goes on afterwards, or 0.
    before: u32,
    /// Whether that step had said what its task waits for.
    waited_before: bool,
    /// Why that step wakes tasks, if not by itself.
    cause_before: Option<WakeCause>,
    /// Whether what the task waits for was the last thing told.
    has_just_waited: bool,
}

impl Step {
    /// Begins.
    #[cold]
    #[inline(never)]
    pub fn begin(task: &Number) -> Self {
        let task = task.get();
        let step = THREAD.with(|thread| Self {
            task,
            before: thread.actor.replace(task),
            waited_before: thread.has_waited.replace(false),
            cause_before: thread.cause.take(),
            has_just_waited: false,
        });
        let began = EventBody {
            task,
            ..EventBody::new(EventKind::StepBegan)
        };
        with_recorder(|recorder| recorder.write(began));
        step
    }

    /// Has the names of new resources looked for, in the frames of the task. Runs Python code of
    /// the package, and attributes of the program.
    pub fn find_names(&mut self, task: &Object) -> Result<()> {
        match with_recorder(Recorder::take_namer).flatten() {
            Some(namer) => {
                self.has_just_waited = false;
                namer.call([task]).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Whether the innermost step has told what its task waits for.
    pub fn has_waited() -> bool {
        THREAD.with(|thread| thread.has_waited.get())
    }

    /// The task goes on waiting, for `kind`, which the step has not told.
    #[cold]
    #[inline(never)]
    pub fn waits(&mut self, kind: WaitKind, coroutine: &Object) {
        let body = EventBody {
            task: self.task,
            detail: kind.number(),
            ..EventBody::new(EventKind::WaitBegan)
        };
        with_recorder(|recorder| recorder.write_at_wait(body, coroutine));
        self.has_just_waited = true;
    }
}

impl Drop for Step {
    #[cold]
    fn drop(&mut self) {
        let ended = EventBody {
            task: self.task,
            ..EventBody::new(EventKind::StepEnded)
        };
        with_recorder(|recorder| {
            if self.has_just_waited {
                recorder.write_at_once(ended);
            } else {
                recorder.write(ended);
            }
        });
        THREAD.with(|thread| {
            thread.actor.set(self.before);
            thread.has_waited.set(self.waited_before);
            thread.cause.set(self.cause_before);
        });
    }
}
