//! The loops that run, and figures of one, for those who watch.

use greenloop_core::Host as _;
use greenloop_core::observe::Histogram;
use greenloop_cpython::{GilCell, Object};
use greenloop_os::thread_activity::ThreadId;

use super::EventLoop;
use crate::scheduler::Job;

/// The loops that run, of all threads.
static RUNNING: GilCell<Vec<Object>> = GilCell::new(Vec::new());

/// The loops that run, of all threads.
pub fn running_loops() -> Vec<Object> {
    RUNNING.with(|running| running.clone())
}

/// A loop is among those that run, until this is dropped.
pub(super) struct Shown(Object);

impl Shown {
    /// A loop begins to run.
    pub fn to_others(event_loop: &Object) -> Self {
        RUNNING.with(|running| running.push(event_loop.clone()));
        Self(event_loop.clone())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // The one in the list is not the last reference, so that nothing runs in its drop.
        RUNNING.with(|running| {
            if let Some(place) = running.iter().position(|one| one.is(self.0.as_ptr())) {
                drop(running.remove(place));
            }
        });
    }
}

/// Figures of one loop.
pub struct Figures {
    /// Which loop it is, counted from 1.
    pub number: u32,
    /// The thread that runs it, by the system's number, or 0.
    pub thread: i32,
    /// Whether it waits in the poller.
    pub is_idle: bool,
    /// How many jobs began and how many waits ended, while somebody watched.
    pub progress: u64,
    /// How many jobs are ready.
    pub ready: usize,
    /// How many timers are set, cancelled ones included.
    pub timers: usize,
    /// How many descriptors have a reader or a writer.
    pub descriptors: usize,
    /// How long input has had to wait.
    pub lag: Option<Histogram>,
}

impl EventLoop {
    /// The timers that are set and call something: handles and alarms. So are those that are due,
    /// and all other calls that are ready.
    pub fn calls_to_come(&self) -> Vec<Object> {
        let is_set = |job: &&Job| !self.is_cancelled(job);
        self.scheduler.queue(|queue| {
            let jobs = queue.timers.iter().chain(queue.ready.iter());
            let jobs = jobs.filter(is_set);
            jobs.filter_map(|job| match job {
                Job::Handle(handle) => Some(handle.clone().into_object()),
                Job::Alarm(alarm) => Some(alarm.clone().into_object()),
                _ => None,
            })
            .collect()
        })
    }

    /// Figures of this moment.
    pub fn figures(&self) -> Figures {
        let pulse = self.scheduler.pulse();
        let (ready, timers) = self
            .scheduler
            .queue(|queue| (queue.ready.len(), queue.timers.len()));
        Figures {
            number: pulse.number(),
            thread: pulse.thread().map_or(0, ThreadId::as_raw),
            is_idle: pulse.is_idle(),
            progress: pulse.progress(),
            ready,
            timers,
            descriptors: self.watches.with(|watches| watches.listened().count()),
            lag: self.lag.histogram(),
        }
    }
}
