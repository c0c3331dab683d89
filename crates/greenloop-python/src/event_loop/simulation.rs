//! Simulated runs: the loop of production, with the order of its jobs and its time decided by a
//! schedule (`greenloop.testing`).
//!
//! ```text
//!   turn ─► poll_simulated: what has arrived ─► nothing is ready? ─► the clock jumps, or: stuck
//!        └► arrange: this turn's jobs in the order of the schedule; late ones wait here
//! ```
//! What a turn runs is complete before its first job runs: jobs that others have made ready, then
//! what the poll has brought, then timers that are due. `greenloop_core::schedule` decides which of
//! them change their places, and which are late; this file tells it how each came about:
//!
//! ```text
//!   ready before the poll ──────────────────► inside: stays in order in exact schedules
//!   told by the poller ─────────────────────► readiness, by the listener's address
//!   call_soon_threadsafe of another thread ─► kept apart until the poll: by that thread
//!   result of an executor's job ────────────► the same, by the number of the job
//!   due ────────────────────────────────────► by its deadline: equal ones may change places
//! ```
//! Addresses and threads are compared with each other and never ordered, so that a run does not
//! depend on where its objects lie.
//!
//! The virtual clock stands still while anything is ready. It jumps to the next deadline when
//! nothing is, and nothing outside of the loop is under way: Python code (`outside`) answers that,
//! and is asked only if the loop watches a descriptor, waits for a job of an executor, or if there
//! are other threads. Where there is no deadline either, nothing can ever happen again, and Python
//! code (`stuck`) raises the exception that says so, out of the turn and the run.
//!
//! A loop that is not simulated tests one flag in each turn and each poll, and another one for each
//! timer that is due.
//!
//! PyO3 makes the methods: they are called once in a run, or once for a job of an executor.

use std::time::Duration;

use greenloop_core::schedule::{
    Arranger, BadToken, Batch, Choices, Deviation, Origin, Source, Token,
};
use greenloop_core::{Instant, Ready, Wait};
use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Object, Result, has_other_threads, saturating_float};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::EventLoop;
use super::other_threads::OtherThreads;
use crate::handle;
use crate::scheduler::Job;

/// A run under a schedule.
pub struct Simulation {
    token: Token,
    arranger: Arranger<Job>,
    /// How the jobs of the turn came about that is being opened.
    batch: Batch,
    /// Whether its poll has said so.
    is_polled: bool,
    pub(super) other_threads: OtherThreads,
    /// The number of jobs after which the run is taken to go on for ever.
    most_jobs: u64,
    /// How long the present wait may last, or `None` for as long as it takes.
    patience: Option<Duration>,
    /// Says how long to wait for what is outside, in seconds, or None for as long as it takes.
    outside: Object,
    /// Raises the exception of a run that can never go on, or never ends.
    stuck: Object,
}

/// All that a simulation held, for the caller to drop.
pub struct Remains {
    /// Its late jobs and the calls of other threads, in the order in which they would have come.
    jobs: Vec<Job>,
    /// The rest.
    _rest: Option<Box<Simulation>>,
}

impl Simulation {
    /// Shows what it holds to the garbage collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let mut jobs = self.kept();
        jobs.try_for_each(|job| job.visit(visit))?;
        visit.call(self.other_threads.caller().as_py())?;
        visit.call(self.outside.as_py())?;
        visit.call(self.stuck.as_py())
    }

    /// The late jobs, and the calls that wait for the poll.
    fn kept(&self) -> impl Iterator<Item = &Job> {
        self.arranger.kept().chain(self.other_threads.calls())
    }

    /// How a job has arrived that the poll brought.
    fn source_of(job: &Job) -> Source {
        match job {
            Job::Ready(listener) => Source::Readiness(listener.owner.as_ptr().addr()),
            Job::Handle(handle) => Source::Readiness(handle.as_ptr().addr()),
            _ => Source::Alone,
        }
    }
}

impl EventLoop {
    /// Runs `access` on the simulation, if there is one, for a moment in which no Python code runs
    /// and no object is dropped.
    pub(super) fn simulated<R>(&self, access: impl FnOnce(&mut Simulation) -> R) -> Option<R> {
        self.simulation
            .with(|simulation| simulation.as_mut().map(|simulation| access(simulation)))
    }

    /// Puts the jobs of a turn into the schedule's order. The queue is borrowed.
    ///
    /// Jobs that are late stay here. No job is dropped: one that only repeats what a late one will
    /// tell waits for the next poll, which drops it.
    #[cold]
    pub(super) fn arrange_simulated(&self, ready: &mut Ready<Job>) {
        self.simulated(|simulation| {
            let batch = &mut simulation.batch;
            if !simulation.is_polled {
                batch.inside = ready.len().saturating_sub(batch.due.len());
            }
            simulation.arranger.arrange(ready, batch);
            batch.arrived.clear();
            batch.due.clear();
            simulation.is_polled = false;
        });
    }

    /// The turn's next job is a timer with this deadline. The queue is borrowed.
    #[cold]
    pub(super) fn note_simulated_due(&self, deadline: Instant) {
        self.simulated(|simulation| simulation.batch.due.push(deadline));
    }

    /// The poll of a simulated loop: takes what has arrived, and notes what came from where. If
    /// nothing did and nothing is ready, it waits, or has the clock jump.
    ///
    /// Raises what `stuck` and `outside` raise, and what any poll does. Jobs that have become ready
    /// stay so for the next run.
    #[cold]
    #[inline(never)]
    pub(super) fn poll_simulated(&self, wait: Wait) -> Result<()> {
        let inside = self.scheduler.queue(|queue| queue.ready.len());
        let (repeated, has_work, is_endless) = self
            .simulated(|simulation| {
                simulation.batch.arrived.clear();
                simulation.batch.due.clear();
                simulation.is_polled = false;
                let arranger = &mut simulation.arranger;
                let is_endless = arranger.jobs() > simulation.most_jobs;
                let has_work = arranger.has_late() || simulation.other_threads.has_calls();
                (arranger.take_repeated(), has_work, is_endless)
            })
            .unwrap_or_default();
        drop(repeated);
        if is_endless {
            self.raise_stuck("endless")?;
        }
        self.poll_system(Wait::Now)?;
        if wait != Wait::Now && inside == 0 && !has_work {
            self.wait_simulated(wait)?;
        }
        self.scheduler.queue(|queue| {
            self.simulated(|simulation| {
                let arrived = &mut simulation.batch.arrived;
                let brought = queue.ready.iter().skip(inside);
                arrived.extend(brought.map(Simulation::source_of));
                for (source, job) in simulation.other_threads.take_calls() {
                    arrived.push(source);
                    queue.ready.push(job);
                }
                simulation.batch.inside = inside;
                simulation.is_polled = true;
            })
        });
        Ok(())
    }

    /// Whether something has become ready, or has been called by another thread.
    ///
    /// A late job is neither: its turn comes without a wait.
    fn has_arrivals(&self) -> bool {
        self.scheduler.queue(|queue| !queue.ready.is_empty())
            || self
                .simulated(|simulation| simulation.other_threads.has_calls())
                .unwrap_or_default()
    }

    /// Waits where nothing is ready: has the clock jump, or waits for what is outside of the loop.
    ///
    /// A wait without a deadline never ends by patience: what may come may take its time. Without
    /// anything that may come, it is a deadlock.
    fn wait_simulated(&self, wait: Wait) -> Result<()> {
        while !self.has_arrivals() {
            // A clock that goes on by itself is waited for.
            let is_virtual = self.scheduler.virtual_time().is_some();
            if let (Wait::Until(_), false) = (wait, is_virtual) {
                return self.poll_system(wait);
            }
            let patience = self.patience()?;
            // The question is Python code, during which other threads may call and end.
            if self.has_arrivals() {
                return Ok(());
            }
            if patience == Some(Duration::ZERO) {
                match wait {
                    Wait::Until(deadline) => self.jump_to(deadline),
                    Wait::Forever | Wait::Now => self.raise_stuck("deadlock")?,
                }
                return Ok(());
            }
            let patience = if wait == Wait::Forever {
                None
            } else {
                patience
            };
            self.simulated(|simulation| simulation.patience = patience);
            self.poll_system(wait)?;
            if let (Some(_), Wait::Until(deadline), false) = (patience, wait, self.has_arrivals()) {
                self.jump_to(deadline);
                return Ok(());
            }
        }
        Ok(())
    }

    /// How long the poller may wait on a virtual clock where nothing is ready, or `None` for ever.
    /// A deadline is no reason to wait; what is outside of the loop is.
    #[cold]
    pub(super) fn simulated_timeout(&self) -> Option<Duration> {
        let patience = self.simulated(|simulation| simulation.patience);
        patience.flatten()
    }

    /// Has a virtual clock go on to a deadline. It never goes back.
    fn jump_to(&self, deadline: Instant) {
        if let Some(now) = self.scheduler.virtual_time() {
            self.scheduler.set_virtual_time(Some(now.max(deadline)));
        }
    }

    /// How long to wait for what is outside of the loop, at most: not at all if nothing is, `None`
    /// for as long as it takes. Raises what `outside` raises.
    fn patience(&self) -> Result<Option<Duration>> {
        let watched = self
            .watches
            .with(|watches| watches.listened().collect::<Vec<_>>());
        let question = self.simulated(|simulation| {
            let jobs = simulation.other_threads.jobs();
            (!watched.is_empty() || jobs > 0 || has_other_threads())
                .then(|| (simulation.outside.clone(), jobs))
        });
        let Some((outside, jobs)) = question.flatten() else {
            return Ok(Some(Duration::ZERO));
        };
        let numbers = watched
            .into_iter()
            .map(|number| (number as isize).into_object());
        let numbers = making::list(numbers.collect::<Result<_>>()?)?;
        let arguments = [jobs.into_object()?, numbers];
        let patience = outside.call([&arguments[0], &arguments[1]])?;
        if patience.is_none() {
            return Ok(None);
        }
        let seconds = saturating_float(&patience)?;
        Ok(Some(
            Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        ))
    }

    /// Calls `stuck`, which is there to raise an exception. If it does not, the run goes on.
    fn raise_stuck(&self, how: &str) -> Result<()> {
        let stuck = self.simulated(|simulation| simulation.stuck.clone());
        let how = how.into_object()?;
        stuck.map_or(Ok(()), |stuck| stuck.call([&how]).map(drop))
    }

    /// Shows the late handles to the garbage collector, as
    /// [`track_handles`](Self::track_handles).
    pub(super) fn track_simulated_handles(&self) {
        self.simulated(|simulation| {
            for job in simulation.kept() {
                if let Job::Handle(handle) = job {
                    handle::of_job(handle).track();
                }
            }
        });
    }

    /// Ends the simulation, for the caller to drop: what it holds may run code of the program when
    /// it is dropped. The clock is the system's again.
    pub(super) fn take_simulation(&self) -> Remains {
        self.is_simulated.set(false);
        self.scheduler.set_virtual_time(None);
        let mut simulation = self.simulation.with(Option::take);
        let jobs = simulation.as_mut().map(|simulation| {
            let mut jobs = simulation.arranger.take_late();
            jobs.extend(simulation.other_threads.take_calls().map(|(_, job)| job));
            jobs
        });
        Remains {
            jobs: jobs.unwrap_or_default(),
            _rest: simulation,
        }
    }
}

/// What a schedule has done: jobs, points, digest, deviations as a token and as pairs of a point
/// and an amount, the point where the run diverged, and the largest choice at each point.
type Account = (
    u64,
    u64,
    u64,
    String,
    Vec<(u64, u32)>,
    Option<u64>,
    Vec<u32>,
);

#[pymethods]
impl EventLoop {
    /// Run by a schedule from now on: that of a token.
    ///
    /// `deviations` are pairs of a point and an amount, in the order of the points, in the place of
    /// the token's own choices. With `limits` the largest choice at each point is written down.
    ///
    /// The run asks three functions. `outside(jobs, descriptors)` says how many seconds to wait for
    /// what is outside of the loop, or None for as long as it takes; `stuck(how)` raises the
    /// exception of a run that can never go on ("deadlock") or has run `most_jobs` ("endless");
    /// `caller()` tells which thread calls it, and of which generation it is.
    ///
    /// Raise `ValueError` for what is no token, `RuntimeError` for a loop that runs, is closed, or
    /// is simulated already.
    #[pyo3(signature = (token, questions, most_jobs, *, deviations=None, limits=false))]
    fn _simulate(
        &self,
        token: &str,
        questions: (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>),
        most_jobs: u64,
        deviations: Option<Vec<(u64, u32)>>,
        limits: bool,
    ) -> PyResult<()> {
        self.check_closed()?;
        if self.is_simulated.get() || self.scheduler.is_turning() {
            let text = "the loop runs, or is simulated already";
            return Err(making::runtime_error(text).into());
        }
        let token: Token = token.parse().map_err(|error: BadToken| {
            making::value_error(&format!("{token:?} is no schedule: {error}"))
        })?;
        let mut choices = match deviations {
            None => token.choices(),
            Some(deviations) => Choices::given(deviations.into_iter().map(|(point, by)| {
                let check = None;
                Deviation { point, by, check }
            })),
        };
        if limits {
            choices.note_limits();
        }
        let batch = Batch {
            late_timers: token.virtual_clock,
            ..Batch::default()
        };
        if token.virtual_clock {
            self.scheduler.set_virtual_time(Some(Instant::new(0.0)));
        }
        let (outside, stuck, caller) = questions;
        let simulation = Simulation {
            arranger: Arranger::new(choices, token.level, token.most_late),
            token,
            batch,
            is_polled: false,
            other_threads: OtherThreads::new(Object::from(caller)),
            most_jobs,
            patience: None,
            outside: Object::from(outside),
            stuck: Object::from(stuck),
        };
        let before = self
            .simulation
            .with(|place| place.replace(Box::new(simulation)));
        drop(before);
        self.is_simulated.set(true);
        Ok(())
    }

    /// Run as asyncio does again. Late jobs become ready, and the clock is the system's.
    fn _end_simulation(&self) {
        let mut remains = self.take_simulation();
        remains
            .jobs
            .drain(..)
            .for_each(|job| self.scheduler.push(job));
    }

    /// Whether the loop is simulated: from `_simulate()` to `_end_simulation()` or the close of the
    /// loop.
    #[getter]
    fn _is_simulated(&self) -> bool {
        self.is_simulated.get()
    }

    /// Return what the schedule has done so far, or None if the loop is not simulated.
    ///
    /// A tuple: how many jobs ran, the number of points, the digest of the run, the token of the
    /// deviations, the deviations as pairs, the point where the run diverged or None, and the
    /// largest choice at each point if that was asked for.
    fn _simulation(&self) -> Option<Account> {
        self.simulated(|simulation| {
            let choices = simulation.arranger.choices();
            let token = Token {
                origin: Origin::Deviations(choices.deviations().to_vec()),
                ..simulation.token.clone()
            };
            let pairs = choices.deviations().iter();
            (
                simulation.arranger.jobs(),
                choices.points(),
                choices.digest(),
                token.to_string(),
                pairs
                    .map(|deviation| (deviation.point, deviation.by))
                    .collect(),
                choices.diverged(),
                choices.limits().to_vec(),
            )
        })
    }
}
