//! The jobs that a turn runs, and the poll of the operating system.
//!
//! `greenloop_core::turn` defines the order; here are the jobs and the poll.
//!
//! ```text
//!   turn ─► poll: clear the current task ─► signals ─► epoll ─► dispatch
//!        │        └─► the inbox is delivered ─► an exception sent to the thread is raised
//!        └► run: the job ─► a failure goes to the exception handler ─► end_of_job
//! ```
//! A simulated loop has the order of its jobs from a schedule, and a poll of its own, which asks
//! this one ([`super::simulation`]). How a job runs, and what its failure does, is the same: what a
//! test runs is what production runs.
//!
//! What a failure does depends on the exception alone: `SystemExit` and `KeyboardInterrupt` end the
//! run, and the jobs behind stay for the next one; any other is reported by the handle that
//! represents the job.

use std::io;
use std::time::Duration;

use greenloop_core::observe::{EventKind, WakeCause};
use greenloop_core::{Host, Instant, Ready, Wait};
use greenloop_cpython::{
    Native, Object, Raised, Result, check_signals, fetch, prefetch, raise_sent_exception, restore,
    run_in_context, without_gil,
};

use super::EventLoop;
use super::job_call::job_call;
use super::polling::{Polling, os_error};
use crate::asyncio::globals;
use crate::awaitable;
use crate::future;
use crate::handle::{self, Handle};
use crate::observing::{because_of, is_observed, is_recording, tell_of_loop};
use crate::scheduler::{Alarm, HandleKind, Job};
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
        // SAFETY: the turn of the core gives the access, which knows no Python and hands out the
        // jobs that leave the queue.
        unsafe { self.scheduler.queue_untested(access) }
    }

    /// The loop's time: the clock's, or that of a `time` which was replaced.
    #[inline]
    fn now(&self) -> Instant {
        if self.has_own_time() {
            self.overridden_time()
        } else {
            self.scheduler.now()
        }
    }

    /// See `Host::horizon`; asyncio adds its `_clock_resolution` in the same way.
    fn horizon(&self, now: Instant) -> Instant {
        // The clock's resolution, or where that is less than a float can tell, a step of the float.
        let now = now.as_secs();
        let resolution = self.resolution.get();
        Instant::new(now + resolution.max(now.abs() * f64::EPSILON))
    }

    /// One poll, in which signal handlers written in Python may run. Raises what they raise.
    #[inline]
    fn poll(&self, wait: Wait) -> Result<()> {
        if self.is_simulated.get() {
            self.poll_simulated(wait)
        } else {
            self.poll_system(wait)
        }
    }

    #[inline]
    fn arrange(&self, ready: &mut Ready<Job>) {
        if self.is_simulated.get() {
            self.arrange_simulated(ready);
        }
    }

    #[inline]
    fn note_due(&self, deadline: Instant) {
        if self.is_simulated.get() {
            self.note_simulated_due(deadline);
        }
    }

    /// A job of a task is never cancelled: a cancellation is delivered by the step.
    #[inline]
    fn is_cancelled(&self, job: &Job) -> bool {
        match job {
            Job::Handle(handle) => handle::of_job(handle).get().is_cancelled(),
            Job::Sleeper(sleeper) => awaitable::is_cancelled(sleeper),
            Job::Alarm(alarm) => alarm.get().is_silent(),
            _ => false,
        }
    }

    /// Timers and callbacks have waited long, and many may be due at once.
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

    /// Whether a cancelled job that is due was a timer; a handle notes that it is in the heap no
    /// more.
    fn pass_over(&self, job: &Job) -> bool {
        match job {
            Job::Handle(handle) => handle::of_job(handle).get().leave_timers(),
            Job::Sleeper(_) => true,
            _ => false,
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "there is one loop of turns, and each kind of job is a call"
    )]
    fn run(&self, place: &mut Option<Job>) -> Result<()> {
        // The most frequent jobs come first, and run where they lie: a move is a copy of 32 bytes.
        let outcome = match place {
            None => Ok(()),
            Some(_) if self.observed.get() => self.run_observed(place),
            Some(Job::Step(task)) => task::run_step(&self.scheduler, task, None),
            Some(job) if is_observed() => self.run_told(job),
            Some(Job::Handle(handle)) => self.run_handle(handle),
            Some(job) => self.run_job(job),
        };
        *place = None;
        if self.end_of_job.is_empty() {
            outcome
        } else {
            self.end_of_job.run(outcome)
        }
    }
}

impl EventLoop {
    /// Asks the operating system, and takes what other threads have left. In between signal
    /// handlers written in Python may run.
    ///
    /// Raises what they raise, an `OSError` of the poller, and an exception that another thread has
    /// sent to this one. Jobs that have become ready stay so.
    // Not inlined: there are two callers, and what it is made of is to be inlined into it.
    #[inline(never)]
    pub(super) fn poll_system(&self, wait: Wait) -> Result<()> {
        self.in_poll.set(true);
        self.lag.poll_begins();
        let mut outcome = self.poll_with_signals(wait);
        self.lag.poll_ends(wait != Wait::Now);
        self.in_poll.set(false);
        if let Some(inbox) = self.inbox.get() {
            // Tasks may be woken by Python code, which is not to be called while an exception is
            // set.
            let kept = outcome.map_err(fetch);
            because_of(WakeCause::Thread, || inbox.deliver());
            outcome = kept.map_err(restore);
        }
        // Jobs that have become ready stay so for the next run.
        outcome.and_then(|()| raise_sent_exception())
    }

    /// The GIL is released only if the poll may wait.
    fn poll_with_signals(&self, wait: Wait) -> Result<()> {
        self.scheduler.clear_current_task()?;
        // A task that waits for one socket after the other seldom has more than a turn in between.
        // SAFETY: the question compares the number of ended waits with a constant.
        let many_ended = || unsafe { self.watches.with_untested(|watches| watches.many_ended()) };
        if wait != Wait::Now || many_ended() {
            self.silence_ended_waits();
        }
        // Between two polls nothing else may have looked at signals: a loop of native code only.
        if wait != Wait::Now {
            check_signals()?;
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
            if is_recording() {
                tell_poll(timeout);
            }
            self.asleep.set(true);
            self.scheduler.pulse().wait_begins();
            // SAFETY: nothing of Python's is touched, and other threads do not reach the poller and
            // the event buffer.
            let outcome = unsafe { without_gil(|| poller.wait(&mut events, timeout)) };
            self.scheduler.pulse().wait_ends();
            self.asleep.set(false);
            if is_recording() {
                tell_of_loop(EventKind::PollEnded, 0);
            }
            outcome
        };
        match outcome {
            Ok(()) => {
                self.dispatch(&events, waker);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => check_signals(),
            Err(error) => Err(os_error(&error)),
        }
    }

    /// Runs a job that is no step, and tells an observer of it.
    #[cold]
    #[inline(never)]
    fn run_told(&self, job: &Job) -> Result<()> {
        self.scheduler.pulse().beat();
        if !is_recording() {
            return self.run_job(job);
        }
        let cause = match job {
            Job::Step(_) | Job::Throw(..) => return self.run_job(job),
            Job::Sleeper(_) | Job::Alarm(_) => WakeCause::Timer,
            Job::Ready(_) => WakeCause::Descriptor,
            _ => WakeCause::Callback,
        };
        tell_of_loop(EventKind::CallbackBegan, 0);
        let outcome = because_of(cause, || self.run_job(job));
        tell_of_loop(EventKind::CallbackEnded, 0);
        outcome
    }

    /// Runs one job.
    ///
    /// Everything but a step and a sleeper clears the current task first, since code of the program
    /// may ask for it.
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
                let called = run_in_context(context, callback, Some(future));
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
                let alarm = alarm.get();
                let outcome = Self::report_failure(job, alarm.run());
                alarm.release();
                outcome
            }
            Job::Ready(listener) => {
                self.scheduler.clear_current_task()?;
                let react = listener.reaction.react;
                Self::report_failure(job, react(&listener.owner, listener.generation))
            }
            Job::ForeignHandle(handle) => {
                self.scheduler.clear_current_task()?;
                let names = &globals().names;
                if !handle.attribute(&names.cancelled_flag)?.is_true()? {
                    handle.invoke(&names.run, [])?;
                }
                Ok(())
            }
        }
    }

    /// Runs a handle and lets the collector know of it if somebody else holds it.
    #[inline]
    fn run_handle(&self, handle: &Native<HandleKind>) -> Result<()> {
        self.scheduler.clear_current_task()?;
        let handle = handle::of_job(handle);
        let outcome = Handle::run(handle);
        Handle::release(handle);
        outcome
    }

    /// Tells the exception handler of a job that raised, or ends the loop if the exception says so.
    ///
    /// Making the handle may fail for want of memory; that error is returned then.
    #[inline]
    fn report_failure(job: &Job, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => Ok(()),
            Err(raised) if handle::leaves_the_loop() => Err(raised),
            Err(raised) => {
                let exception = fetch(raised);
                match Self::native_handle_of(job)? {
                    Some(handle) => Handle::report(&handle, &exception),
                    None => Err(restore(exception)),
                }
            }
        }
    }

    /// How long the poller may wait, or `None` for ever.
    fn timeout(&self, wait: Wait) -> Option<Duration> {
        match wait {
            Wait::Now => Some(Duration::ZERO),
            _ if self.scheduler.virtual_time().is_some() => self.simulated_timeout(),
            Wait::Forever => None,
            Wait::Until(deadline) => Some(self.now().until(deadline)),
        }
    }

    /// A handle that represents a job and runs it, as a handle of asyncio's would.
    ///
    /// Jobs without a callback of their own get a [`JobCall`](super::job_call) that looks like
    /// asyncio's.
    pub(super) fn acting_handle_of(job: &Job) -> Result<Object> {
        let handle = Self::native_handle_of(job)?;
        if let (Job::Sleeper(_) | Job::Alarm(_) | Job::Ready(_), Some(handle)) = (job, &handle) {
            handle.get().set_callback(|shown| job_call(job, shown))?;
        }
        Ok(Self::or_foreign(handle, job))
    }

    /// A handle that represents a job, for messages and for code that looks at the queue.
    pub(super) fn handle_of(job: &Job) -> Result<Object> {
        Ok(Self::or_foreign(Self::native_handle_of(job)?, job))
    }

    fn or_foreign(handle: Option<Native<Handle>>, job: &Job) -> Object {
        match (handle, job) {
            (Some(handle), _) => handle.into_object(),
            (None, Job::ForeignHandle(handle)) => handle.clone(),
            (None, _) => Object::none(),
        }
    }

    /// The same, of any job but a handle of another class.
    fn native_handle_of(job: &Job) -> Result<Option<Native<Handle>>> {
        let of_future = |future: &Object, callback: &Object, context: Option<&Object>| {
            let event_loop = match future::NATIVE.instance(future) {
                Some(future) => future::event_loop_of(future),
                None => Object::none(),
            };
            let arguments = std::slice::from_ref(future);
            Handle::create(
                &handle::CLASS,
                callback,
                arguments,
                context,
                &event_loop,
                None,
            )
        };
        match job {
            Job::ForeignHandle(_) => return Ok(None),
            Job::Handle(handle) => Ok(handle::of_job(handle).clone()),
            Job::Callback {
                callback,
                future,
                context,
            } => of_future(future, callback, Some(context)),
            Job::Notify {
                function,
                owner,
                future,
            } => of_future(future, &future::notifier(function, owner)?, None),
            Job::Step(task) => task::step_handle(task, None),
            Job::Throw(task, exception) => task::step_handle(task, Some(exception)),
            Job::Sleeper(sleeper) => awaitable::sleeper_handle(sleeper),
            Job::Alarm(alarm) => alarm_handle(alarm),
            Job::Ready(listener) => {
                let handle = (listener.reaction.handle)(&listener.owner)?;
                Ok(handle::of_job(&handle).clone())
            }
        }
        .map(Some)
    }
}

/// Tells an observer how long the loop is going to wait, in nanoseconds.
#[cold]
fn tell_poll(timeout: Option<Duration>) {
    let longest = timeout.map_or(-1, |timeout| {
        i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX)
    });
    tell_of_loop(EventKind::PollBegan, longest);
}

/// A handle that represents an alarm, for messages and for code that looks at the heap.
pub fn alarm_handle(alarm: &Native<Alarm>) -> Result<Native<Handle>> {
    let (callback, event_loop) = alarm.get().shown()?;
    Handle::create(&handle::CLASS, &callback, &[], None, &event_loop, None)
}
