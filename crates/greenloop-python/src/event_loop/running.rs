//! `run_forever` and `run_until_complete`.
//!
//! ```text
//!          1 enter               2 run_turns              3 leave
//!  idle ───────────► running ───────────────► running ───────────► idle
//!                              until `stop()`
//!                              or an interrupt
//! ```
//!
//! Steps 1 and 3 change several things, and none may be left half done: a loop that stays marked as
//! running can be neither run nor closed. A signal handler, a trace function or an exception sent
//! by another thread may raise between any two instructions of Python code, including those of a
//! `finally` block. So all three steps and the code around them are native: an exception is raised
//! before them, after them, or by the Python code that they call.
//!
//! It follows `BaseEventLoop.run_forever` and `run_until_complete` of CPython's
//! `asyncio/base_events.py`: the underscored setup and cleanup, which a subclass may override, the
//! hooks for asynchronous generators (PEP 525), and the texts of errors.

use std::cell::Cell;

use greenloop_core::turn;
use greenloop_cpython::{
    Object, Raised, Result, Slot, current_thread, ensure_room, fetch, making, raise_while_handling,
    report_unraisable, restore,
};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::EventLoop;
use super::figures::Shown;
use crate::any_future;
use crate::asyncio::globals;
use crate::awaitable;
use crate::observing::Run;
use crate::scheduler::away;
use crate::task::Task;

/// The settings of the thread that a run changes, as they were before.
///
/// They belong to the thread and not to the loop, so each run restores what it found.
pub(super) struct ThreadSettings {
    /// The hooks for asynchronous generators, as `sys.get_asyncgen_hooks()` returns them, during a
    /// run.
    pub hooks: Slot,
    /// How deep the origins of coroutines were tracked, while debug mode has them tracked.
    pub origin_depth: Slot,
    /// Whether debug mode has them tracked.
    tracks_origins: Cell<bool>,
}

impl ThreadSettings {
    /// No run has changed anything.
    pub const fn unchanged() -> Self {
        Self {
            hooks: Slot::empty(),
            origin_depth: Slot::empty(),
            tracks_origins: Cell::new(false),
        }
    }
}

impl EventLoop {
    /// Marks the loop as running in this thread and makes it the thread's running loop; or raises
    /// and changes nothing.
    ///
    /// Raises a `RuntimeError` for a closed or running loop, and where another loop runs in the
    /// thread.
    fn enter(&self, this: &Object) -> Result<()> {
        let names = &globals().names;
        this.invoke(&names.check_closed, [])?;
        this.invoke(&names.check_running, [])?;
        self.enter_idle(this)
            .map_err(|raised| self.leave_for(this, fetch(raised)))
    }

    /// The part of `enter` that has to be undone.
    fn enter_idle(&self, this: &Object) -> Result<()> {
        let (names, asyncio) = (&globals().names, &globals().asyncio);
        let first = this.attribute(&names.asyncgen_firstiter_hook)?;
        let last = this.attribute(&names.asyncgen_finalizer_hook)?;
        self.settings
            .hooks
            .set(asyncio.get_asyncgen_hooks.call([])?);
        track_origins_by_name(this, self.scheduler.debug())?;
        self.scheduler.set_thread(current_thread());
        asyncio.set_asyncgen_hooks.call([&first, &last])?;
        set_running_loop(this)
    }

    /// Undoes [`enter`](Self::enter). All of it is tried; the last failure is raised, and the one
    /// before it is its context.
    fn leave(&self, this: &Object) -> Result<()> {
        self.scheduler.queue(|queue| queue.stopping = false);
        self.scheduler.set_thread(0);
        // On 3.11 that needs memory. A second attempt may find the memory that the first one did
        // not.
        let outcome = set_running_loop(&Object::none()).or_else(|raised| {
            drop(fetch(raised));
            set_running_loop(&Object::none())
        });
        let outcome = and_then(outcome, || track_origins_by_name(this, false));
        and_then(outcome, || self.restore_hooks())
    }

    /// As [`leave`](Self::leave), because of an exception, which is raised again.
    fn leave_for(&self, this: &Object, exception: Object) -> Raised {
        match self.leave(this) {
            Ok(()) => restore(exception),
            Err(raised) => raise_while_handling(fetch(raised), &exception),
        }
    }

    /// Whether the loop is marked as running, here or in its thread.
    fn is_entered(&self, this: &Object) -> Result<bool> {
        let running = globals().asyncio.get_running_loop_or_none.call([])?;
        Ok(self.scheduler.runs() || running.is(this.as_ptr()))
    }

    /// `sys.set_asyncgen_hooks(*hooks)`, with those from before the run.
    fn restore_hooks(&self) -> Result<()> {
        let Some(hooks) = self.settings.hooks.take() else {
            return Ok(());
        };
        let function = &globals().asyncio.set_asyncgen_hooks;
        // The hooks are a tuple, which needs no memory to be passed on.
        function.call_with_tuple(&hooks).map(drop)
    }

    /// Has the origins of coroutines tracked, or tracked as deep as before.
    ///
    /// As deep as `asyncio.constants.DEBUG_STACK_DEPTH`, in debug mode. The awaitables of this
    /// extension hear of it too.
    fn track_origins(&self, enabled: bool) -> Result<()> {
        let settings = &self.settings;
        if enabled == settings.tracks_origins.get() {
            return Ok(());
        }
        let asyncio = &globals().asyncio;
        let depth = if enabled {
            let before = asyncio.get_origin_depth.call([])?;
            settings.origin_depth.set(before);
            asyncio
                .constants
                .attribute(&globals().names.debug_stack_depth)?
        } else {
            settings.origin_depth.get_or_none()
        };
        asyncio.set_origin_depth.call([&depth])?;
        awaitable::track_origins(depth.is_true()?);
        settings.tracks_origins.set(enabled);
        Ok(())
    }

    /// Runs turns until `stop()` was called; at least one.
    ///
    /// An error is an interrupt: `SystemExit`, `KeyboardInterrupt`, or what a signal handler or a
    /// poll has raised. The jobs that have not run stay for the next run.
    fn run_turns(&self, this: &Object) -> Result<()> {
        self.turning(this, || {
            loop {
                if !self.is_as_seen(this) {
                    self.look_again(this)?;
                }
                if self.has_unusual_turns() {
                    self.run_unusual_turn(this)?;
                } else {
                    turn(self)?;
                }
                if self.scheduler.queue(|queue| queue.stopping) {
                    return Ok(());
                }
            }
        })
    }

    /// Runs a turn after taking over timers, or by a `_run_once` that is not ours.
    ///
    /// Rare enough to be tested by one flag per turn.
    #[cold]
    fn run_unusual_turn(&self, this: &Object) -> Result<()> {
        self.take_arrivals(this)?;
        if self.has_own_turns() {
            return this.invoke(&globals().names.run_once, []).map(drop);
        }
        self.run_single_turn()
    }

    /// Runs one turn. Apart from the loop of turns, so that the compiler puts a turn right into
    /// that.
    #[inline(never)]
    fn run_single_turn(&self) -> Result<()> {
        turn(self)
    }

    /// Runs turns in `body`.
    ///
    /// While it runs, the loop is held, and its jobs are not shown to the collector.
    fn turning(&self, this: &Object, body: impl FnOnce() -> Result<()>) -> Result<()> {
        ensure_room()?;
        let _run = Run::begin(self.scheduler.pulse());
        let _shown = Shown::to_others(this);
        self.scheduler.event_loop().set(this.clone());
        self.scheduler.queue(|queue| queue.budget.begin());
        // A task of another loop may be running this one: its step is not of this loop.
        let outcome = away(body);
        // The exception that ends the loop stays set while asyncio's entry of the current task is
        // removed.
        let kept = outcome.map_err(fetch);
        let cleared = self.scheduler.clear_current_task();
        self.silence_ended_waits();
        self.scheduler.event_loop().clear();
        self.track_handles();
        match kept {
            Ok(()) => cleared,
            Err(exception) => {
                if let Err(raised) = cleared {
                    report_unraisable(raised, this);
                }
                Err(restore(exception))
            }
        }
    }

    /// `run_forever`: enter, turns, leave; whatever happens, the loop is left as it was found.
    fn run(&self, this: &Object) -> Result<()> {
        let names = &globals().names;
        let may_enter = !self.is_entered(this)?;
        // By name, since both may be overridden, and be interrupted in their own part.
        if let Err(raised) = this.invoke(&names.run_forever_setup, []) {
            let exception = fetch(raised);
            return Err(if may_enter && self.is_entered(this)? {
                self.leave_for(this, exception)
            } else {
                restore(exception)
            });
        }
        let outcome = self.run_turns(this);
        let outcome = and_then(outcome, || {
            this.invoke(&names.run_forever_cleanup, []).map(drop)
        });
        let still_entered = self.scheduler.runs();
        and_then(outcome, || {
            if still_entered {
                self.leave(this)
            } else {
                Ok(())
            }
        })
    }

    /// `run_until_complete(future)`: returns the result or raises the exception. Raises a
    /// `RuntimeError` if the loop was stopped before the future was done, and a `TypeError` for
    /// what cannot be awaited.
    fn run_until_done(this: &Object, awaitable: &Object) -> Result<Object> {
        let (names, asyncio) = (&globals().names, &globals().asyncio);
        this.invoke(&names.check_closed, [])?;
        this.invoke(&names.check_running, [])?;
        let is_own_task = !any_future::is_future(awaitable)?;
        let keyword = &globals().keywords.loop_;
        let future =
            asyncio
                .tasks
                .invoke_named(&names.ensure_future, [awaitable], keyword, [this])?;
        if is_own_task {
            // The caller hears of a task that does not end.
            Task::stay_silent(&future)?;
        }
        let callback = &asyncio.run_until_complete_cb;
        let outcome = future
            .invoke(&names.add_done_callback, [callback])
            .and_then(|_| this.invoke(&names.run_forever, []))
            .map(drop)
            .map_err(|raised| {
                let exception = fetch(raised);
                // The caller cannot ask the task for the exception that ended it, so it is raised
                // here.
                match is_own_task.then(|| consume_exception(&future)) {
                    Some(Err(raised)) => raise_while_handling(fetch(raised), &exception),
                    _ => restore(exception),
                }
            });
        and_then(outcome, || {
            future
                .invoke(&names.remove_done_callback, [callback])
                .map(drop)
        })?;
        if !any_future::is_done(&future)? {
            let text = "Event loop stopped before Future completed.";
            return Err(making::runtime_error(text));
        }
        any_future::result_of(&future)
    }
}

/// Does `step` also after a failure, as a `finally` block is: if both fail, the second is raised,
/// with the first as its context.
fn and_then(outcome: Result<()>, step: impl FnOnce() -> Result<()>) -> Result<()> {
    let Err(raised) = outcome else {
        return step();
    };
    let exception = fetch(raised);
    Err(match step() {
        Ok(()) => restore(exception),
        Err(raised) => raise_while_handling(fetch(raised), &exception),
    })
}

/// [`EventLoop::track_origins`], or its replacement.
fn track_origins_by_name(this: &Object, enabled: bool) -> Result<()> {
    let enabled = Object::boolean(enabled);
    let name = &globals().names.set_coroutine_origin_tracking;
    this.invoke(name, [&enabled]).map(drop)
}

/// `asyncio.events._set_running_loop(event_loop)`
fn set_running_loop(event_loop: &Object) -> Result<()> {
    let events = &globals().asyncio.events;
    let name = &globals().names.set_running_loop;
    events.invoke(name, [event_loop]).map(drop)
}

/// Counts the exception of a future that is done as seen.
fn consume_exception(future: &Object) -> Result<()> {
    if any_future::is_done(future)? && !any_future::is_cancelled(future)? {
        any_future::exception_of(future)?;
    }
    Ok(())
}

#[pymethods]
impl EventLoop {
    /// Run until `stop()` is called.
    ///
    /// Raise RuntimeError if the loop is closed or running, or if another loop runs in this thread.
    /// `SystemExit` and `KeyboardInterrupt` of a callback end the run.
    fn run_forever(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = Object::from(slf.clone().into_any());
        let event_loop = slf.get();
        let name = &globals().names.run_forever;
        if let Some(function) = event_loop.replacement_when_idle(&this, name)? {
            return Ok(function.call([&this]).map(drop)?);
        }
        Ok(event_loop.run(&this)?)
    }

    /// Run until the future, or the task made of a coroutine, is done; return its result.
    ///
    /// Raise `RuntimeError` if the loop was stopped before the future was done.
    fn run_until_complete(slf: &Bound<'_, Self>, future: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let this = Object::from(slf.clone().into_any());
        let name = &globals().names.run_until_complete;
        let result = match slf.get().replacement_when_idle(&this, name)? {
            Some(function) => function.call([&this, &future.into()])?,
            None => Self::run_until_done(&this, &Object::from(future))?,
        };
        Ok(result.bound(slf.py()).unbind())
    }

    /// Begin to run, as `run_forever` does before its first turn.
    fn _run_forever_setup(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = Object::from(slf.clone().into_any());
        Ok(slf.get().enter(&this)?)
    }

    /// End to run, as `run_forever` does after its last turn.
    fn _run_forever_cleanup(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = Object::from(slf.clone().into_any());
        Ok(slf.get().leave(&this)?)
    }

    /// Run one turn.
    fn _run_once(slf: &Bound<'_, Self>) -> PyResult<()> {
        let event_loop = slf.get();
        event_loop.check_closed()?;
        let this = Object::from(slf.clone().into_any());
        if !event_loop.is_as_seen(&this) {
            event_loop.look_again(&this)?;
        }
        event_loop.take_arrivals(&this)?;
        if event_loop.scheduler.is_turning() {
            ensure_room()?;
            return Ok(away(|| event_loop.run_single_turn())?);
        }
        Ok(event_loop.turning(&this, || event_loop.run_single_turn())?)
    }

    /// Have the origins of coroutines tracked, or no more.
    fn _set_coroutine_origin_tracking(&self, enabled: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.track_origins(enabled.is_truthy()?)?)
    }

    /// Whether debug mode has the origins of coroutines tracked.
    #[getter]
    fn _coroutine_origin_tracking_enabled(&self) -> bool {
        self.settings.tracks_origins.get()
    }

    // The attribute that asyncio's own functions set, which wrappers of them call in the end.

    #[setter(_coroutine_origin_tracking_enabled)]
    fn set_tracks_origins(&self, enabled: &Bound<'_, PyAny>) -> PyResult<()> {
        let enabled = enabled.is_truthy()?;
        let depth = globals().asyncio.get_origin_depth.call([])?;
        awaitable::track_origins(depth.is_true()?);
        self.settings.tracks_origins.set(enabled);
        Ok(())
    }

    #[setter(_coroutine_origin_tracking_saved_depth)]
    fn set_origin_depth(&self, depth: Bound<'_, PyAny>) {
        self.settings.origin_depth.set(Object::from(depth));
    }

    #[setter(_old_agen_hooks)]
    fn set_hooks(&self, hooks: Bound<'_, PyAny>) -> PyResult<()> {
        if hooks.is_none() {
            self.settings.hooks.clear();
        } else {
            // They are restored as they are, and only a tuple could be.
            let hooks = hooks.cast_into::<PyTuple>()?;
            self.settings.hooks.set(Object::from(hooks.into_any()));
        }
        Ok(())
    }

    /// How deep they were tracked before.
    #[getter]
    fn _coroutine_origin_tracking_saved_depth(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings.origin_depth.get_or_none().bound(py).unbind()
    }

    /// During a run, the thread's hooks for asynchronous generators from before.
    #[getter]
    fn _old_agen_hooks(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings.hooks.get_or_none().bound(py).unbind()
    }
}
