//! Debug mode: slow callbacks, and the handle that runs now.
//!
//! Outside debug mode none of this runs; the scheduler itself logs nothing.
//!
//! A loop whose jobs are observed, because of debug mode or of a replaced `Handle._run`, runs them
//! one by one through [`EventLoop::run_observed`]. What asyncio would have as a handle is made for
//! each job on the way, so that messages and replacements see what they would see there.

use greenloop_core::Host as _;
use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{Object, Result, attached};
use pyo3::prelude::*;

use super::EventLoop;
use crate::handle::{self, Handle};
use crate::scheduler::Job;

impl EventLoop {
    /// Takes a job that has to be visible as a handle, and runs it.
    #[cold]
    pub(super) fn run_observed(&self, place: &mut Option<Job>) -> Result<()> {
        let Some(job) = place.take() else {
            return Ok(());
        };
        if self.scheduler.debug() {
            return self.run_watched(job);
        }
        let handle = Self::acting_handle_of(&job)?;
        drop(job);
        self.run_by_name(&handle)
    }

    /// Has the replaced `Handle._run` run a job.
    ///
    /// Whatever replaces it may run the handle later or never.
    fn run_by_name(&self, handle: &Object) -> Result<()> {
        self.scheduler.clear_current_task()?;
        let outcome = handle::run_by_name(handle);
        if let Some(handle) = handle::NATIVE.member(handle) {
            Handle::release(handle);
        }
        outcome
    }

    /// Runs a job with the clock held to it. A slow one is logged by `_log_slow_callback`.
    ///
    /// The limit is `slow_callback_duration`, in seconds, an attribute that programs set. The clock
    /// is the loop's own, so a replaced `time` counts. The handle is `_current_handle` meanwhile,
    /// for exception handlers to show.
    fn run_watched(&self, job: Job) -> Result<()> {
        let by_name = self.runs_handles_by_name.get();
        let handle = if by_name {
            Self::acting_handle_of(&job)?
        } else {
            Self::handle_of(&job)?
        };
        self.current_handle.set(handle.clone());
        let start = self.now();
        let outcome = if by_name {
            self.run_by_name(&handle)
        } else {
            self.run_job(&job)
        };
        self.current_handle.clear();
        drop(job);
        outcome?;
        let duration = self.now().as_secs() - start.as_secs();
        let py = attached();
        let event_loop = self.scheduler.event_loop().get_or_none();
        let event_loop = event_loop.bound(py);
        if event_loop.is_none() {
            return Ok(());
        }
        let limit: f64 = event_loop.look_up(c"slow_callback_duration")?.extract()?;
        if duration >= limit {
            event_loop.invoke_method(c"_log_slow_callback", (handle, duration))?;
        }
        Ok(())
    }
}

#[pymethods]
impl EventLoop {
    /// Return whether debug mode is on.
    fn get_debug(&self) -> bool {
        self.scheduler.debug()
    }

    /// Whether debug mode is on.
    #[getter]
    fn _debug(&self) -> bool {
        self.scheduler.debug()
    }

    #[setter(_debug)]
    fn set_debug_flag(&self, debug: &Bound<'_, PyAny>) -> PyResult<()> {
        self.scheduler.set_debug(debug.is_truthy()?);
        self.update_fast();
        Ok(())
    }

    /// In debug mode the handle that runs now, else None.
    ///
    /// asyncio's exception handler reads it to show the traceback of the handle's creation.
    #[getter]
    fn _current_handle(&self, py: Python<'_>) -> Py<PyAny> {
        self.current_handle.get_or_none().bound(py).unbind()
    }

    #[setter(_current_handle)]
    fn set_current_handle(&self, handle: Bound<'_, PyAny>) {
        self.current_handle.set(Object::from(handle));
    }
}
