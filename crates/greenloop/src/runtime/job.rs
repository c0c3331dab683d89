//! The jobs that the ring and the heap hold.
//!
//! A job is a pair of words, not an enum, so it goes through the queue in two registers. An enum
//! with a number and a pointer in one of its variants is assembled in memory and then loaded in one
//! piece, and the processor has to wait for that each time (yielding: 46 ns against 33).

use std::num::NonZeroU64;
use std::rc::Rc;

use super::alarms::Alarm;
use crate::task::Task;

/// Something to be run once.
pub struct Job {
    /// [`STEP`], [`CALL`], or [`ALARM`] and the place of an alarm. Never zero, so that an `Option`
    /// of a job is no larger.
    what: NonZeroU64,
    /// The task to step or wake. Without one, an alarm belongs to another waiter.
    task: Option<Rc<Task>>,
}

const STEP: NonZeroU64 = NonZeroU64::MIN;
const CALL: NonZeroU64 = STEP.saturating_add(1);
const ALARM: NonZeroU64 = STEP.saturating_add(1 << 32);

/// A job, taken apart.
pub enum Kind {
    /// Step a task.
    Step(Rc<Task>),
    /// Wake a task that sleeps.
    Alarm(Alarm, Rc<Task>),
    /// Wake another sleeper, whose waker is kept with the alarms.
    ForeignAlarm(Alarm),
    /// Call the next function that other threads asked for.
    Call,
}

impl Job {
    #[inline]
    pub const fn step(task: Rc<Task>) -> Self {
        Self {
            what: STEP,
            task: Some(task),
        }
    }

    #[inline]
    pub fn alarm(alarm: Alarm, task: Option<Rc<Task>>) -> Self {
        let what = ALARM.saturating_add(alarm.place().into());
        Self { what, task }
    }

    pub const fn call() -> Self {
        Self {
            what: CALL,
            task: None,
        }
    }

    /// The alarm, of a job that is one's.
    #[inline]
    pub fn as_alarm(&self) -> Option<Alarm> {
        let place = self.what.get().checked_sub(ALARM.get())?;
        u32::try_from(place).ok().map(Alarm::at)
    }

    /// The task, if it is about one.
    #[inline]
    pub fn task(&self) -> Option<&Task> {
        self.task.as_deref()
    }

    /// Takes it apart.
    #[inline]
    pub fn into_kind(self) -> Kind {
        match (self.as_alarm(), self.task) {
            (None, Some(task)) => Kind::Step(task),
            (Some(alarm), Some(task)) => Kind::Alarm(alarm, task),
            (Some(alarm), None) => Kind::ForeignAlarm(alarm),
            (None, None) => Kind::Call,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_job_comes_out() {
        for place in [0, 1, u32::MAX] {
            let alarm = Alarm::at(place);
            let job = Job::alarm(alarm, None);
            assert_eq!(job.as_alarm(), Some(alarm));
            assert!(matches!(job.into_kind(), Kind::ForeignAlarm(same) if same == alarm));
        }
        assert_eq!(Job::call().as_alarm(), None);
        assert!(matches!(Job::call().into_kind(), Kind::Call));
    }

    #[test]
    fn a_job_is_two_words_and_so_is_the_lack_of_one() {
        assert_eq!(size_of::<Job>(), 16);
        assert_eq!(size_of::<Option<Job>>(), 16);
    }
}
