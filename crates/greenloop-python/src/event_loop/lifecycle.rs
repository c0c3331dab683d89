//! The states of a loop: open, running, stopping, closed. `running` enters and leaves the running
//! one.
//!
//! ```text
//!   made ── _open (by __init__) ──► open ◄── enter / leave ──► running, until stop()
//!                                    └── _discard (by close()) ──► closed, for good
//! ```
//! `close()` itself is Python's, in `greenloop.EventLoop`: it refuses a running loop, and shuts the
//! executor down. A loop that is closed refuses work with a `RuntimeError`, and keeps no job and no
//! descriptor.

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Object, Result, current_thread};
use pyo3::prelude::*;

use super::EventLoop;
use crate::handle;
use crate::scheduler::Job;

impl EventLoop {
    /// Refuses work for a closed loop.
    ///
    /// One test where all is well. The text is asyncio's.
    #[inline]
    pub(super) fn check_closed(&self) -> Result<()> {
        if self.closed.get() {
            return Err(making::runtime_error("Event loop is closed"));
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
        Err(making::runtime_error(text))
    }

    /// Refuses, in debug mode, calls from a thread other than the running loop's.
    ///
    /// While the loop does not run, any thread may call.
    pub(super) fn check_thread(&self) -> Result<()> {
        let thread = self.scheduler.thread();
        if thread != 0 && thread != current_thread() {
            return Err(making::runtime_error(
                "Non-thread-safe operation invoked on an event loop other than the current one",
            ));
        }
        Ok(())
    }
}

impl EventLoop {
    /// Shows the handles that wait to the garbage collector, now that the loop may be dropped.
    ///
    /// Called at the end of each run: it costs a walk over all jobs, but no collection during the
    /// run did.
    pub(super) fn track_handles(&self) {
        self.scheduler.queue(|queue| {
            for job in queue.ready.iter().chain(queue.timers.iter()) {
                if let Job::Handle(handle) = job {
                    handle::of_job(handle).track();
                }
            }
        });
        self.track_simulated_handles();
    }
}

#[pymethods]
impl EventLoop {
    /// Open the loop, from `__init__`.
    fn _open(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get()
            .look_again(&Object::from(slf.clone().into_any()))?;
        slf.get().initialised.set(true);
        slf.get().update_fast();
        Ok(())
    }

    /// Stop after the current turn, or after one turn if the loop does not run.
    ///
    /// A turn that has begun runs all its jobs to the end. May be called from any thread that holds
    /// the GIL, but does not wake a loop that waits; that is what `call_soon_threadsafe(loop.stop)`
    /// is for.
    pub fn stop(&self) {
        self.scheduler.stop();
    }

    /// Return whether the loop runs.
    fn is_running(&self) -> bool {
        self.scheduler.runs()
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

    /// Drop all waiting jobs and the loop's poller, for good. The caller has made sure that the
    /// loop does not run.
    ///
    /// What waited is dropped, which may run code of the program: the loop counts as closed by
    /// then.
    #[pyo3(name = "_discard")]
    fn discard(&self) {
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
        self.scheduler.queue(|queue| queue.stopping)
    }

    #[setter(_stopping)]
    fn set_stopping(&self, stopping: bool) {
        self.scheduler.queue(|queue| queue.stopping = stopping);
    }

    /// Whether the loop was closed.
    #[getter]
    fn _closed(&self) -> bool {
        self.closed.get()
    }

    /// For asyncio's own `close`, which a wrapper calls in the end.
    #[setter(_closed)]
    fn set_closed(&self, closed: bool) -> PyResult<()> {
        if closed {
            self.discard();
        } else if self.closed.get() {
            return Err(making::runtime_error("A closed event loop stays closed").into());
        }
        Ok(())
    }

    /// The thread that runs the loop, as `threading.get_ident()` names it, or None.
    #[getter]
    fn _thread_id(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let thread = match self.scheduler.thread() {
            0 => Object::none(),
            thread => thread.into_object()?,
        };
        Ok(thread.bound(py).unbind())
    }

    #[setter(_thread_id)]
    fn set_thread_id(&self, thread: Option<u64>) {
        self.scheduler.set_thread(thread.unwrap_or(0));
    }
}
