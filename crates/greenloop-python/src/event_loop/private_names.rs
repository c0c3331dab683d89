//! The underscored names by which asyncio's own code, and replacements of it, drive a loop.
//!
//! A tracing product that wraps `BaseEventLoop._run_once` or `call_at` calls asyncio's function in
//! the end, and a library may bring its own `_run_once`. They take handles out of `_ready`, call
//! `_selector.select` and run the handles they took. So jobs can be taken from the ready ring
//! ([`_take_ready`]), the first half of a turn can be run alone ([`_select`]), and timers that such
//! a function pushes into the list it is given are taken over ([`_set_timer`]).
//!
//! [`_take_ready`]: EventLoop::_take_ready
//! [`_select`]: EventLoop::_select
//! [`_set_timer`]: EventLoop::_set_timer

use greenloop_core::{Host as _, Instant, Wait, gather};
use greenloop_cpython::Object;
use greenloop_cpython::making::ByName as _;
use pyo3::prelude::*;

use super::EventLoop;
use crate::handle::{self, Handle};
use crate::scheduler::Job;

#[pymethods]
impl EventLoop {
    /// The clock's resolution in seconds: timers that are due within it are run.
    #[getter]
    fn _clock_resolution(&self) -> f64 {
        self.resolution.get()
    }

    #[setter(_clock_resolution)]
    fn set_clock_resolution(&self, seconds: f64) {
        self.resolution.set(seconds);
    }

    /// How many of the timers that are set were cancelled.
    #[getter]
    fn _timer_cancelled_count(&self) -> usize {
        self.scheduler.queue(|queue| queue.timers.cancelled())
    }

    #[setter(_timer_cancelled_count)]
    fn set_timer_cancelled_count(&self, count: isize) {
        let count = usize::try_from(count).unwrap_or(0);
        self.scheduler
            .queue(|queue| queue.timers.set_cancelled(count));
    }

    /// Queue `callback(*args)` without any check; return its handle.
    ///
    /// asyncio's own `call_soon` and `call_soon_threadsafe` go through it. A running loop of
    /// another thread is not woken.
    #[pyo3(signature = (callback, args, context))]
    fn _call_soon(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyAny>,
        context: Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let arguments: Vec<Object> = args
            .try_iter()?
            .map(|argument| argument.map(Object::from))
            .collect::<PyResult<_>>()?;
        let context = Some(context).filter(|context| !context.is_none());
        let handle = Handle::create(
            &handle::CLASS,
            &Object::from(callback),
            &arguments,
            context.map(Object::from).as_ref(),
            &Object::from(slf.clone().into_any()),
            Some(&slf.get().scheduler),
        )?;
        slf.get().scheduler.push(Job::Handle(handle.up().clone()));
        Ok(handle.bound(slf.py()).unbind())
    }

    /// Take the next handle that is ready, to be run by the caller.
    ///
    /// None if nothing is ready. A native job comes as a handle that does the same when it is run.
    fn _take_ready(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.end_job_of_others()?;
        let Some(job) = self.scheduler.queue(|queue| queue.ready.pop()) else {
            return Ok(None);
        };
        Ok(Some(Self::acting_handle_of(&job)?.bound(py).unbind()))
    }

    /// Poll, waiting no longer than `timeout` seconds, and make ready the jobs of new events and of
    /// due timers.
    ///
    /// It is the first half of a turn: cancelled timers are swept, the operating system is asked,
    /// due timers are moved. No job is run.
    fn _select(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<()> {
        let event_loop = slf.get();
        event_loop.end_job_of_others()?;
        event_loop.take_arrivals(&Object::from(slf.clone().into_any()))?;
        let wait = match timeout {
            None => Wait::Forever,
            Some(seconds) if seconds <= 0.0 => Wait::Now,
            Some(seconds) => Wait::Until(Instant::new(event_loop.now().as_secs() + seconds)),
        };
        Ok(gather(event_loop, wait)?)
    }

    /// Have the next turn look into the list that `call_at` and its like push timers into, since
    /// other code has a reference to it.
    fn _expect_timers(&self) {
        self.expect_timers();
    }

    /// Take over a timer that other code has made.
    ///
    /// A handle of another class is run by its `_run` when it is due.
    fn _set_timer(&self, timer: Bound<'_, PyAny>) -> PyResult<()> {
        let deadline = Instant::new(timer.invoke_method(c"when", ())?.extract()?);
        let job = match handle::NATIVE.claim(Object::from(timer)) {
            Ok(timer) => {
                timer.get().set_scheduled(true);
                Job::Handle(timer.up().clone())
            }
            Err(timer) => Job::ForeignHandle(timer),
        };
        self.scheduler.push_timer(deadline, job);
        Ok(())
    }
}

impl EventLoop {
    /// Ends a job that other code has run.
    fn end_job_of_others(&self) -> PyResult<()> {
        self.scheduler.clear_current_task()?;
        if !self.end_of_job.is_empty() {
            self.end_of_job.run(Ok(()))?;
        }
        Ok(())
    }
}
