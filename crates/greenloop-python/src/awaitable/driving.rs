//! The awaitable as a coroutine: `await`, `send`, `throw`, `close` and deallocation.
//!
//! The interpreter sees a coroutine: `send` and `throw` are [`Iteration`]'s `advance` and `throw`.
//! The values that are sent are not looked at, since an operation gets what it waits for from its
//! owner. Errors of misuse have a coroutine's words: awaiting a second time, awaiting twice at
//! once, and driving one that runs.

use std::ffi::CStr;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::{
    ExceptionClass, Finishing as _, Iteration, Native, Next, Object, Raised, Result, attached,
    fetch, matches, raise, report_unraisable, restore,
};
use pyo3::prelude::*;

use super::origin::in_words;
use super::waiting::Outcome;
use super::{Awaitable, PackedState, Progress, Stage};
use crate::asyncio::globals;
use crate::observing::{Wait, is_recording, tell_wait};

impl Awaitable {
    /// Handles the outcome of a step.
    ///
    /// The two frequent outcomes are here: done, and blocked natively, for which the awaitable
    /// yields itself. A task takes it from there ([`receive`](Self::receive)).
    #[inline]
    fn settle(this: &Native<Awaitable>, progress: Result<Progress>) -> Result<Next> {
        match progress {
            Ok(Progress::Returned(value)) => {
                Self::end(this);
                Ok(Next::Returned(value))
            }
            Ok(Progress::Blocked) if !this.get().foreign.get() => {
                let awaitable = this.get();
                if is_recording() {
                    Self::tell_wait(this);
                }
                awaitable.stage.set(Stage::Blocked);
                Self::track(this);
                awaitable.blocking.set(true);
                Ok(Next::Yielded(this.clone().into_object()))
            }
            other => Self::settle_otherwise(this, other),
        }
    }

    /// As [`settle`](Self::settle), for the rarer outcomes. It is a separate function so that the
    /// rest needs none of its registers.
    ///
    /// An error ends the awaitable for good, whether the operation raised it or the future refused.
    #[inline(never)]
    fn settle_otherwise(this: &Native<Awaitable>, progress: Result<Progress>) -> Result<Next> {
        let awaitable = this.get();
        match progress {
            Ok(Progress::Returned(value)) => Ok(Next::Returned(value)),
            Ok(Progress::Blocked) => {
                if is_recording() {
                    Self::tell_wait(this);
                }
                awaitable.stage.set(Stage::Blocked);
                Self::track(this);
                let future = awaitable.future();
                let blocking = &globals().names.blocking;
                match future.set_attribute(blocking, &Object::boolean(true)) {
                    Ok(()) => Ok(Next::Yielded(future)),
                    Err(raised) => Err(Self::fail_for_good(this, raised)),
                }
            }
            Ok(Progress::Paused) => {
                if is_recording() {
                    tell_wait(&Wait::of(WaitKind::Yield));
                }
                // A plain sleep stays untracked: it leads to no object but its result.
                awaitable.stage.set(Stage::Delegating);
                Ok(Next::Yielded(Object::none()))
            }
            Ok(Progress::Yielded(object)) => {
                if is_recording() {
                    Self::tell_wait(this);
                }
                awaitable.stage.set(Stage::Delegating);
                Self::track(this);
                Ok(Next::Yielded(object))
            }
            Err(raised) => Err(Self::fail_for_good(this, raised)),
        }
    }

    /// Tells an observer what the task waits for.
    #[cold]
    fn tell_wait(this: &Native<Awaitable>) {
        if let Some(wait) = Self::describe_wait(this) {
            tell_wait(&wait);
        }
    }

    /// What an awaitable that has blocked waits for, unless the object says so that it delegates
    /// to.
    fn describe_wait(this: &Native<Awaitable>) -> Option<Wait> {
        let awaitable = this.get();
        // A wait that has blocked has an owner.
        let owner = awaitable.owner()?;
        (awaitable.operation().waits)(this, &owner)
    }

    /// The same for whoever asks later, and the object that it delegates to.
    pub fn waits_for(this: &Native<Awaitable>) -> (Option<Wait>, Option<Object>) {
        match this.get().stage.get() {
            Stage::Blocked | Stage::Delegating => {
                (Self::describe_wait(this), this.get().delegate())
            }
            Stage::Fresh | Stage::Running | Stage::Finished => (None, None),
        }
    }

    /// Whether it has blocked, and nothing has woken it yet.
    pub fn is_blocked(&self) -> bool {
        self.stage.get() == Stage::Blocked && self.waiter_state.get() == PackedState::Waiting
    }

    /// Goes on although the wait is not over: see [`wait_again`](Self::wait_again).
    #[cold]
    fn drive_while_waiting(this: &Native<Self>) -> Result<Next> {
        let awaitable = this.get();
        awaitable.stage.set(Stage::Blocked);
        if let Some(future) = Self::wait_again(this)? {
            return Ok(Next::Yielded(future));
        }
        <Self as Iteration>::throw(this, fetch(not_received()))
    }

    /// It raised, and will not go on. What it held is dropped now, with no exception set, as that
    /// may run code.
    fn fail_for_good(this: &Native<Awaitable>, raised: Raised) -> Raised {
        let exception = fetch(raised);
        Self::end(this);
        restore(exception)
    }

    /// The awaitable is deallocated or collected: its wait is given up, and there is a warning if
    /// it was never awaited, as with a coroutine.
    ///
    /// Runs where the last reference is dropped, or in a collection. Closing throws `GeneratorExit`
    /// into the operation, which leaves its line and passes a wake-up on. Errors go to
    /// `sys.unraisablehook`.
    pub(super) fn give_up(this: &Native<Awaitable>) {
        let awaitable = this.get();
        let outcome = match awaitable.stage.get() {
            Stage::Fresh => warn_never_awaited(this, awaitable.operation().name),
            Stage::Blocked | Stage::Delegating => {
                awaitable.ending.set(true);
                let closed = Self::close(this);
                awaitable.ending.set(false);
                closed
            }
            Stage::Running | Stage::Finished => Ok(()),
        };
        if let Err(raised) = outcome {
            report_unraisable(raised, this);
        }
    }
}

impl Iteration for Awaitable {
    /// `__await__`: refuses an awaitable that waits already, on behalf of another `await`.
    #[inline]
    fn begin(this: &Native<Awaitable>) -> Result<()> {
        match this.get().stage.get() {
            Stage::Blocked | Stage::Delegating => Err(awaited_already()),
            Stage::Fresh | Stage::Running | Stage::Finished => Ok(()),
        }
    }

    /// One `send`. Of an awaitable that blocked, the outcome of its wait decides whether the
    /// operation is resumed or interrupted; `send` before the wait is over is the case of two tasks
    /// on one awaitable (`wait_again`).
    #[inline]
    fn advance(this: &Native<Self>) -> Result<Next> {
        let awaitable = this.get();
        let operation = awaitable.operation();
        // SAFETY: a step forward, which leaves the owner where it is.
        let owner = unsafe { awaitable.owner_of_step() };
        let progress = match awaitable.stage.replace(Stage::Running) {
            Stage::Fresh => (operation.start)(this, &owner),
            Stage::Delegating => (operation.resume)(this, &owner),
            Stage::Blocked => match Self::outcome(this) {
                Outcome::Woken => (operation.resume)(this, &owner),
                Outcome::Failed(exception) => (operation.interrupt)(this, &owner, exception),
                Outcome::Pending => return Self::drive_while_waiting(this),
            },
            Stage::Running => return Err(already_executing()),
            Stage::Finished => {
                awaitable.stage.set(Stage::Finished);
                return Err(already_awaited());
            }
        };
        Self::settle(this, progress)
    }

    /// One `throw`. A task whose wait was cancelled throws the `CancelledError`, which arrives
    /// here.
    fn throw(this: &Native<Awaitable>, exception: Object) -> Result<Next> {
        let awaitable = this.get();
        let operation = awaitable.operation();
        // SAFETY: a step that throws, in which the owner stays as well.
        let owner = unsafe { awaitable.owner_of_step() };
        let progress = match awaitable.stage.replace(Stage::Running) {
            Stage::Fresh => Err(restore(exception)),
            Stage::Blocked | Stage::Delegating => (operation.interrupt)(this, &owner, exception),
            Stage::Running => return Err(already_executing()),
            Stage::Finished => {
                awaitable.stage.set(Stage::Finished);
                return Err(already_awaited());
            }
        };
        Self::settle(this, progress)
    }

    /// `close()`: as a coroutine's, a `GeneratorExit` that comes out again is no error, and neither
    /// is the end.
    fn close(this: &Native<Awaitable>) -> Result<()> {
        let awaitable = this.get();
        match awaitable.stage.get() {
            Stage::Finished => return Ok(()),
            Stage::Fresh => {
                Self::end(this);
                return Ok(());
            }
            // The collector takes the objects of a cycle in any order. The finaliser may drop the
            // last reference to the task, whose coroutine then closes what it awaits: this.
            Stage::Running if awaitable.ending.get() => return Ok(()),
            Stage::Running => return Err(already_executing()),
            Stage::Blocked | Stage::Delegating => {}
        }
        let (exit, stop) = (ExceptionClass::GeneratorExit, ExceptionClass::StopIteration);
        let exit_object = exit.object().call([])?;
        match <Self as Iteration>::throw(this, exit_object) {
            Ok(Next::Returned(_)) => Ok(()),
            Ok(Next::Yielded(_)) => {
                let class = ExceptionClass::RuntimeError;
                Err(raise(class, c"coroutine ignored GeneratorExit"))
            }
            Err(raised) if matches(exit) || matches(stop) => {
                drop(fetch(raised));
                Ok(())
            }
            Err(raised) => Err(raised),
        }
    }
}

/// `RuntimeWarning: coroutine '…' was never awaited`, with the place where it was made, if that is
/// tracked.
#[cold]
fn warn_never_awaited(this: &Native<Awaitable>, name: &CStr) -> Result<()> {
    let py = attached();
    let name_text = name.to_string_lossy();
    let origin = in_words(this)?;
    let text = format!("coroutine '{name_text}' was never awaited{origin}\0");
    let text = CStr::from_bytes_until_nul(text.as_bytes()).unwrap_or(name);
    let category = py.get_type::<pyo3::exceptions::PyRuntimeWarning>();
    PyErr::warn(py, &category, text, 1)?;
    Ok(())
}

/// Of two concurrent awaits of the same coroutine, the second is refused and the first not
/// disturbed.
#[cold]
fn awaited_already() -> Raised {
    raise(
        ExceptionClass::RuntimeError,
        c"coroutine is being awaited already",
    )
}

/// The wait that was yielded before has no receiver.
#[cold]
fn not_received() -> Raised {
    raise(
        ExceptionClass::RuntimeError,
        c"await wasn't used with future",
    )
}

#[cold]
fn already_awaited() -> Raised {
    raise(
        ExceptionClass::RuntimeError,
        c"cannot reuse already awaited coroutine",
    )
}

#[cold]
fn already_executing() -> Raised {
    raise(ExceptionClass::ValueError, c"coroutine already executing")
}
