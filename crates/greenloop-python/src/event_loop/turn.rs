//! The jobs that a turn runs, and the poll of the operating system.
//!
//! `greenloop_core::turn` defines the order; here are the jobs and the poll.

use std::io;
use std::time::Duration;

use greenloop_core::{Host, Instant, Wait};
use greenloop_cpython::{
    Object, Raised, Result, call_method, call_with_context, check_signals, fetch, prefetch,
    raise_sent_exception, restore_thread,
};
use greenloop_os as os;
use pyo3::ffi;

use super::EventLoop;
use super::job_call::job_call;
use super::polling::{Polling, os_error};
use crate::asyncio::globals;
use crate::awaitable;
use crate::handle::{self, Handle};
use crate::scheduler::{Alarm, Job};
use crate::task;

impl Host for EventLoop {
    type Job = Job;
    type Interrupt = Raised;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "what is done with the queue is a few instructions each time"
    )]
    fn queue<R>(&self, access: impl FnOnce(&mut greenloop_core::Queue<Job>) -> R) -> R {
        self.scheduler.queue(access)
    }

    #[inline]
    fn now(&self) -> Instant {
        if self.has_own_time() {
            self.overridden_time()
        } else {
            os::monotonic()
        }
    }

    fn horizon(&self, now: Instant) -> Instant {
        // The clock's resolution, or where that is less than a float can tell, a step of the float.
        let now = now.as_secs();
        let resolution = self.resolution.get();
        Instant::new(now + resolution.max(now.abs() * f64::EPSILON))
    }

    fn poll(&self, wait: Wait) -> Result<()> {
        self.in_poll.set(true);
        let outcome = self.poll_with_signals(wait);
        self.in_poll.set(false);
        if let Some(inbox) = self.inbox.get() {
            inbox.deliver();
        }
        // Jobs that have become ready stay so for the next run.
        outcome.and_then(|()| raise_sent_exception())
    }

    #[inline]
    fn is_cancelled(&self, job: &Job) -> bool {
        match job {
            Job::Handle(handle) => Handle::of(handle).is_cancelled(),
            Job::Sleeper(sleeper) => awaitable::is_cancelled(sleeper),
            Job::Alarm(alarm) => Alarm::of(alarm).is_silent(),
            _ => false,
        }
    }

    #[inline]
    fn looks_ahead(&self, job: &Job) -> bool {
        matches!(job, Job::Handle(_))
    }

    #[inline]
    fn prefetch(&self, job: &Job) {
        if let Job::Handle(handle) = job {
            prefetch(handle);
        }
    }

    fn pass_over(&self, job: &Job) -> bool {
        match job {
            Job::Handle(handle) => Handle::of(handle).leave_timers(),
            Job::Sleeper(_) => true,
            _ => false,
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "there is one loop of turns, and each kind of job is a call"
    )]
    fn run(&self, job: Job) -> Result<()> {
        // The most frequent jobs come first.
        let outcome = match job {
            job if self.observed.get() => self.run_observed(job),
            Job::Step(task) => task::run_step(&self.scheduler, &task, None),
            Job::Handle(handle) => self.run_handle(&handle),
            job => self.run_job(&job),
        };
        if self.end_of_job.is_empty() {
            outcome
        } else {
            self.end_of_job.run(outcome)
        }
    }
}

impl EventLoop {
    fn poll_with_signals(&self, wait: Wait) -> Result<()> {
        self.scheduler.clear_current_task()?;
        // A task that waits for one socket after the other seldom has more than a turn in between.
        if wait != Wait::Now || self.watches.with(|watches| watches.many_ended()) {
            self.silence_ended_waits();
        }
        // Between two polls nothing else may have looked at signals: a loop of native code only.
        if wait != Wait::Now && check_signals().is_err() {
            return Err(Raised);
        }
        // A signal's handler may have made something ready.
        let idle = self.scheduler.queue(|queue| queue.ready.is_empty());
        let timeout = if idle {
            self.timeout(wait)
        } else {
            Some(Duration::ZERO)
        };
        let timeout = self.wait_elsewhere(timeout)?;
        let Ok(mut events) = self.events.try_borrow_mut() else {
            // The loop polls already: user code in a signal handler runs it again, which
            // `run_forever` refuses, so this is not reached.
            return Ok(());
        };
        let polling = self.polling.borrow();
        let Some(Polling { poller, waker }) = polling.as_ref() else {
            return self.check_closed();
        };
        let outcome = if timeout == Some(Duration::ZERO) {
            poller.wait(&mut events, timeout)
        } else {
            self.asleep.set(true);
            // SAFETY: the GIL is held and taken back before anything of Python's is touched; the
            // poller and the event buffer are not reached by other threads.
            let outcome = unsafe {
                let state = ffi::PyEval_SaveThread();
                let outcome = poller.wait(&mut events, timeout);
                restore_thread(state);
                outcome
            };
            self.asleep.set(false);
            outcome
        };
        match outcome {
            Ok(()) => {
                self.dispatch(&events, waker);
                Ok(())
            }
            // SAFETY: as above.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => unsafe {
                if ffi::PyErr_CheckSignals() < 0 {
                    Err(Raised)
                } else {
                    Ok(())
                }
            },
            Err(error) => Err(os_error(&error)),
        }
    }

    /// Runs one job.
    #[inline]
    pub(super) fn run_job(&self, job: &Job) -> Result<()> {
        match job {
            Job::Step(task) => task::run_step(&self.scheduler, task, None),
            Job::Throw(task, exception) => {
                task::run_step(&self.scheduler, task, Some(exception.clone()))
            }
            Job::Handle(handle) => self.run_handle(handle),
            Job::Callback {
                callback,
                future,
                context,
            } => {
                self.scheduler.clear_current_task()?;
                let places = [std::ptr::null_mut(), future.as_ptr()];
                // SAFETY: the slice begins behind a free place; the job holds the future.
                let called =
                    unsafe { call_with_context(context, callback, places.as_ptr().add(1), 1) };
                Self::report_failure(job, called.map(drop))
            }
            Job::Notify {
                function,
                owner,
                future,
            } => {
                self.scheduler.clear_current_task()?;
                Self::report_failure(job, (function.call)(owner, future))
            }
            Job::Sleeper(sleeper) => awaitable::run_sleeper(sleeper),
            Job::Alarm(alarm) => {
                self.scheduler.clear_current_task()?;
                let alarm = Alarm::of(alarm);
                let outcome = Self::report_failure(job, alarm.run());
                alarm.release();
                outcome
            }
            Job::Ready(listener) => {
                self.scheduler.clear_current_task()?;
                let react = listener.reaction.react;
                Self::report_failure(job, react(&listener.owner, listener.ticket))
            }
            Job::ForeignHandle(handle) => {
                self.scheduler.clear_current_task()?;
                let names = &globals().names;
                if !handle.attribute(&names.cancelled_flag)?.is_true()? {
                    call_method(&names.run, &[handle.as_ptr()])?;
                }
                Ok(())
            }
        }
    }

    #[inline]
    fn run_handle(&self, handle: &Object) -> Result<()> {
        self.scheduler.clear_current_task()?;
        let outcome = Handle::run(handle);
        Handle::release(handle);
        outcome
    }

    /// Tells the exception handler of a job that raised, or ends the loop if the exception says so.
    #[inline]
    fn report_failure(job: &Job, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => Ok(()),
            Err(raised) if handle::leaves_the_loop() => Err(raised),
            Err(raised) => {
                let exception = fetch(raised);
                Handle::report(&Self::handle_of(job)?, &exception)
            }
        }
    }

    /// How long the poller may wait, or `None` for ever.
    fn timeout(&self, wait: Wait) -> Option<Duration> {
        match wait {
            Wait::Now => Some(Duration::ZERO),
            Wait::Forever => None,
            Wait::Until(deadline) => Some(self.now().until(deadline)),
        }
    }

    /// A handle that represents a job and runs it, as a handle of asyncio's would.
    pub(super) fn acting_handle_of(job: &Job) -> Result<Object> {
        let handle = Self::handle_of(job)?;
        match job {
            Job::Sleeper(_) | Job::Alarm(_) | Job::Ready(_) => {
                Handle::of(&handle).set_callback(|shown| job_call(job, shown))?;
            }
            _ => {}
        }
        Ok(handle)
    }

    /// A handle that represents a job, for messages and for code that looks at the queue.
    pub(super) fn handle_of(job: &Job) -> Result<Object> {
        let class = globals().classes.handle.as_ptr();
        match job {
            Job::Handle(handle) | Job::ForeignHandle(handle) => Ok(handle.clone()),
            Job::Callback {
                callback,
                future,
                context,
            } => {
                let event_loop = crate::future::event_loop_of(future);
                let arguments = std::slice::from_ref(future);
                Handle::create(class, callback, arguments, Some(context), &event_loop, None)
            }
            Job::Notify {
                function,
                owner,
                future,
            } => {
                let event_loop = crate::future::event_loop_of(future);
                let callback = crate::future::notifier(function, owner)?;
                let arguments = std::slice::from_ref(future);
                Handle::create(class, &callback, arguments, None, &event_loop, None)
            }
            Job::Step(task) => task::step_handle(task, None),
            Job::Throw(task, exception) => task::step_handle(task, Some(exception)),
            Job::Sleeper(sleeper) => awaitable::sleeper_handle(sleeper),
            Job::Alarm(alarm) => alarm_handle(alarm),
            Job::Ready(listener) => (listener.reaction.handle)(&listener.owner),
        }
    }
}

/// A handle that represents an alarm, for messages and for code that looks at the heap.
pub fn alarm_handle(alarm: &Object) -> Result<Object> {
    let class = globals().classes.handle.as_ptr();
    let (callback, event_loop) = Alarm::of(alarm).shown()?;
    Handle::create(class, &callback, &[], None, &event_loop, None)
}
