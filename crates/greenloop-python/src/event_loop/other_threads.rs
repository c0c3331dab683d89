//! What other threads do to a simulated loop: their calls, and the jobs of executors.
//!
//! A call is kept until the next poll, and has its thread as its source, by a number that Python
//! code (`caller`) gives the thread. The system's own numbers are given again when a thread has
//! ended, at a moment that differs from run to run.
//!
//! ```text
//!   two calls of one thread ─────────────────► they stay in order
//!   two threads that live at the same time ──► their calls may change places
//!   a thread that calls first when another ──► a later generation: its calls come behind those of
//!   one has ended                              that one, whose end the program may know of
//!   a job that the loop's thread waits for ──► what it calls stays in order, and is no thread's
//! ```

use std::collections::VecDeque;

use greenloop_core::schedule::Source;
use greenloop_cpython::{Class, Object, Result, attached, current_thread};
use pyo3::prelude::*;

use super::EventLoop;
use super::call::Call;
use crate::handle::Handle;
use crate::scheduler::Job;

/// What other threads have to do with a simulated loop.
pub struct OtherThreads {
    /// Their calls since the last poll.
    calls: VecDeque<(Source, Job)>,
    /// How many jobs of executors are under way. While there is one, the clock does not jump,
    /// however long the job takes.
    jobs: usize,
    /// How many of those have begun, each of which is a source.
    jobs_begun: u64,
    /// The source of calls that come while the loop's thread waits for a job.
    awaited: Option<Source>,
    /// Tells which thread calls it.
    caller: Object,
}

impl OtherThreads {
    pub const fn new(caller: Object) -> Self {
        Self {
            calls: VecDeque::new(),
            jobs: 0,
            jobs_begun: 0,
            awaited: None,
            caller,
        }
    }

    /// Tells which thread calls it: `caller() -> (number, generation)`.
    pub const fn caller(&self) -> &Object {
        &self.caller
    }

    /// The calls that wait for the poll.
    pub fn calls(&self) -> impl Iterator<Item = &Job> {
        self.calls.iter().map(|(_, job)| job)
    }

    /// Takes these calls, in the order in which they came.
    pub fn take_calls(&mut self) -> impl Iterator<Item = (Source, Job)> + '_ {
        self.calls.drain(..)
    }

    /// Whether no call waits for the poll.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// How many jobs of executors are under way.
    pub const fn jobs(&self) -> usize {
        self.jobs
    }
}

impl EventLoop {
    /// Whether calls of this thread are arrivals in a simulated run: it is not the loop's own,
    /// whose calls have the order of the program.
    #[inline]
    pub(super) fn takes_calls_of_threads(&self) -> bool {
        self.is_simulated.get()
            && self.scheduler.runs()
            && self.scheduler.thread() != current_thread()
    }

    /// Keeps the call of another thread for the next poll.
    ///
    /// Raises what making a handle raises, and what `caller` does, and keeps nothing then.
    #[cold]
    pub(super) fn keep_call(
        &self,
        this: &Object,
        call: &Call<'_>,
        class: &Class<Handle>,
    ) -> Result<Object> {
        let handle = self.make_handle(this, call, class)?;
        let source = self.source_of_call()?;
        let mut job = Some(Job::Handle(handle.up().clone()));
        self.simulated(|simulation| {
            let calls = &mut simulation.other_threads.calls;
            calls.extend(job.take().map(|job| (source, job)));
        });
        // The simulation has ended while Python code ran.
        if let Some(job) = job {
            self.scheduler.push(job);
        }
        Ok(handle.into_object())
    }

    /// What a call of this thread comes from. Raises what `caller` raises.
    fn source_of_call(&self) -> Result<Source> {
        let asked = self.simulated(|simulation| {
            let threads = &simulation.other_threads;
            (threads.awaited, threads.caller.clone())
        });
        let caller = match asked {
            None => return Ok(Source::Alone),
            Some((Some(job), _)) => return Ok(job),
            Some((None, caller)) => caller,
        };
        let answer = caller.call([])?;
        let (number, generation) = answer.bound(attached()).extract()?;
        Ok(Source::Thread { number, generation })
    }
}

#[pymethods]
impl EventLoop {
    /// Note that a job of an executor has begun. What other threads call until
    /// `_end_to_await_job()` is its result.
    fn _begin_job_outside(&self) {
        self.simulated(|simulation| {
            let threads = &mut simulation.other_threads;
            threads.jobs += 1;
            threads.jobs_begun += 1;
            threads.awaited = Some(Source::Job(threads.jobs_begun));
        });
    }

    /// Note that the loop's thread waits for the job no more.
    ///
    /// The job may go on: what it calls later is the call of its thread.
    fn _end_to_await_job(&self) {
        self.simulated(|simulation| simulation.other_threads.awaited = None);
    }

    /// Note that a job of an executor has ended. Any thread may call it.
    ///
    /// The loop's clock may jump again, unless another job is under way.
    fn _end_job_outside(&self) {
        self.simulated(|simulation| {
            let threads = &mut simulation.other_threads;
            threads.jobs = threads.jobs.saturating_sub(1);
        });
    }
}
