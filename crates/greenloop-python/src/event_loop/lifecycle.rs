//! Running, stopping and closing.
//!
//! ```text
//!        1 _begin            2 _run_turns           3 _end
//!  idle ─────────► running ───────────────► running ───────► idle ──► closed
//!                           until `stop()`                    4 close
//!                           or an interrupt
//! ```
//!
//! `run_forever` itself is Python: it sets hooks of the interpreter around these three.

use greenloop_core::turn;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::{EventLoop, Job};
use crate::handle::Handle;
use crate::interop::{Object, Result, call_method, fetch, globals, report_unraisable, restore};
use crate::task;

unsafe extern "C" {
    /// `threading.get_ident()`.
    fn PyThread_get_thread_ident() -> std::ffi::c_ulong;
}

/// The calling thread, as `threading.get_ident()` names it.
pub fn current_thread() -> u64 {
    // SAFETY: may be called at any time.
    unsafe { PyThread_get_thread_ident() }
}

impl EventLoop {
    /// Refuses work for a closed loop.
    #[inline]
    pub(super) fn check_closed(&self) -> Result<()> {
        if self.closed.get() {
            return Err(PyRuntimeError::new_err("Event loop is closed").into());
        }
        self.check_initialised()
    }

    /// Refuses work for a loop whose `__init__` has not run.
    #[inline]
    pub(super) fn check_initialised(&self) -> Result<()> {
        if self.initialised.get() {
            return Ok(());
        }
        let text = "the loop is not initialised: a subclass has not called super().__init__()";
        Err(PyRuntimeError::new_err(text).into())
    }

    /// Refuses, in debug mode, calls from a thread other than the running loop's.
    pub(super) fn check_thread(&self) -> Result<()> {
        let thread = self.thread.get();
        if thread != 0 && thread != current_thread() {
            return Err(PyRuntimeError::new_err(
                "Non-thread-safe operation invoked on an event loop other than the current one",
            )
            .into());
        }
        Ok(())
    }
}

impl EventLoop {
    /// Whether some thread is in `run_forever`.
    pub fn runs(&self) -> bool {
        self.thread.get() != 0
    }

    /// Whether turns are being run, which keeps the loop and all that waits in it alive.
    pub fn is_turning(&self) -> bool {
        !self.this.is_empty()
    }

    /// Runs a turn, by `_run_once` if that was replaced.
    #[inline]
    fn run_turn(&self, this: &Object) -> Result<()> {
        if !self.is_as_seen(this) {
            self.look_again(this)?;
        }
        if self.has_unusual_turns() {
            return self.run_unusual_turn(this);
        }
        turn(self)
    }

    #[cold]
    fn run_unusual_turn(&self, this: &Object) -> Result<()> {
        self.take_arrivals(this)?;
        if self.has_own_turns() {
            return call_method(&globals().names.run_once, &[this.as_ptr()]).map(drop);
        }
        turn(self)
    }

    /// Runs turns in `body`.
    fn turning(&self, this: &Object, body: impl FnOnce() -> Result<()>) -> Result<()> {
        self.this.set(this.clone());
        // A task of another loop may be running this one: its step is none of ours.
        let outcome = task::away(body);
        // The exception that ends the loop stays set while asyncio is told that no task runs.
        let kept = outcome.map_err(fetch);
        let cleared = task::clear_published(self);
        self.silence_ended_waits();
        self.this.clear();
        self.track_handles();
        match kept {
            Ok(()) => cleared,
            Err(exception) => {
                if let Err(raised) = cleared {
                    report_unraisable(raised, this.as_ptr());
                }
                Err(restore(exception))
            }
        }
    }

    /// Shows the handles that wait to the garbage collector, now that the loop may be dropped.
    fn track_handles(&self) {
        self.queue.with(|queue| {
            for job in queue.ready.iter().chain(queue.timers.iter()) {
                if let Job::Handle(handle) = job {
                    Handle::track(handle);
                }
            }
        });
    }
}

#[pymethods]
impl EventLoop {
    /// Run turns until `stop()` was called; at least one.
    fn _run_turns(slf: &Bound<'_, Self>) -> PyResult<()> {
        let event_loop = slf.get();
        let this = Object::from(slf.clone().into_any());
        event_loop.expect_input();
        event_loop.turning(&this, || {
            loop {
                event_loop.run_turn(&this)?;
                if event_loop.queue.with(|queue| queue.stopping) {
                    return Ok(());
                }
            }
        })?;
        Ok(())
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
        if event_loop.is_turning() {
            return Ok(task::away(|| turn(event_loop))?);
        }
        Ok(event_loop.turning(&this, || turn(event_loop))?)
    }

    /// Open the loop, from `__init__`.
    fn _open(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get()
            .look_again(&Object::from(slf.clone().into_any()))?;
        slf.get().initialised.set(true);
        slf.get().update_fast();
        Ok(())
    }

    /// Stop after the current turn, or after one turn if the loop does not run.
    fn stop(&self) {
        self.queue.with(|queue| queue.stopping = true);
    }

    /// Return whether the loop runs.
    fn is_running(&self) -> bool {
        self.thread.get() != 0
    }

    /// Return whether the loop was closed.
    fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Raise RuntimeError if the loop was closed.
    #[pyo3(name = "_check_closed")]
    fn raise_if_closed(&self) -> PyResult<()> {
        Ok(self.check_closed()?)
    }

    /// In debug mode: raise RuntimeError in any thread but the running loop's.
    #[pyo3(name = "_check_thread")]
    fn raise_if_wrong_thread(&self) -> PyResult<()> {
        Ok(self.check_thread()?)
    }

    /// Drop all that waits, and what the loop waits with, for good. The caller has made sure that the
    /// loop does not run.
    fn _discard(&self) {
        self.closed.set(true);
        self.update_fast();
        self.discard_everything();
        self.inbox.close();
        if let Ok(mut polling) = self.polling.try_borrow_mut() {
            *polling = None;
        }
    }

    /// Whether `stop()` was called and has not had its effect yet.
    #[getter]
    fn _stopping(&self) -> bool {
        self.queue.with(|queue| queue.stopping)
    }

    #[setter(_stopping)]
    fn set_stopping(&self, stopping: bool) {
        self.queue.with(|queue| queue.stopping = stopping);
    }

    /// Whether the loop was closed.
    #[getter]
    fn _closed(&self) -> bool {
        self.closed.get()
    }

    /// The thread that runs the loop, as `threading.get_ident()` names it, or None.
    #[getter]
    fn _thread_id(&self) -> Option<u64> {
        Some(self.thread.get()).filter(|&thread| thread != 0)
    }

    #[setter(_thread_id)]
    fn set_thread_id(&self, thread: Option<u64>) {
        self.thread.set(thread.unwrap_or(0));
    }
}
