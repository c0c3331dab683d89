//! The core's semaphore, condition and lock, used as a coroutine of a face uses them.

use std::collections::HashMap;
use std::rc::Rc;

use greenloop_core::sync::{Condition, Lock, Semaphore};
use greenloop_core::{WaitList as _, WaiterState};

use super::manual_line::{ManualLine, Standings, Waiter};
use super::{Snapshot, Step, Subject};

/// The semaphore, with a line of its own.
pub struct OurSemaphore<const WAKES_ALL: bool>(Semaphore<ManualLine, WAKES_ALL>);

impl<const WAKES_ALL: bool> OurSemaphore<WAKES_ALL> {
    pub fn new(value: i64) -> Self {
        let line = ManualLine::new(&Rc::new(Standings::default()));
        Self(Semaphore::new(value, line))
    }
}

impl<const WAKES_ALL: bool> Subject for OurSemaphore<WAKES_ALL> {
    fn ask(&mut self, waiter: Waiter) -> Step {
        assert_eq!(self.0.waiters.standings.waiter(), waiter);
        if self.0.try_acquire().unwrap() {
            return Step::Has;
        }
        self.0.waiters.push(&waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if cancelled {
            self.0.give_up(&waiter).unwrap();
            Step::Gone
        } else {
            self.0.take_over(&waiter).unwrap();
            Step::Has
        }
    }

    fn give_back(&mut self) {
        self.0.release().unwrap();
    }

    fn wait(&mut self, _waiter: Waiter) {}

    fn notify(&mut self, _limit: usize) {}

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.0.waiters.standings.cancel(waiter);
    }

    fn waiter_state(&self, waiter: Waiter) -> WaiterState {
        self.0.waiters.standings.of(waiter)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: self.0.value(),
            line: shown(&self.0.waiters),
            condition: Vec::new(),
        }
    }
}

/// The condition and its lock, on one record of how the waiters stand.
pub struct OurCondition<const HANDS_ON: bool> {
    standings: Rc<Standings>,
    lock: Lock<ManualLine>,
    condition: Condition<ManualLine, HANDS_ON>,
    /// The task that waited for the condition, and whether it raises a cancellation in the end.
    returning: HashMap<Waiter, bool>,
}

impl<const HANDS_ON: bool> OurCondition<HANDS_ON> {
    pub fn new() -> Self {
        let standings = Rc::new(Standings::default());
        Self {
            lock: Lock::new(ManualLine::new(&standings)),
            condition: Condition::new(ManualLine::new(&standings)),
            standings,
            returning: HashMap::new(),
        }
    }

    fn finish_wait(&mut self, waiter: Waiter) -> Step {
        if self.returning.remove(&waiter) == Some(true) {
            self.condition.fail().unwrap();
            self.lock.release().unwrap().unwrap();
            return Step::Gone;
        }
        Step::Has
    }

    fn relock(&mut self, waiter: Waiter) -> Step {
        if self.condition.relock(&self.lock, &waiter).unwrap() {
            return self.finish_wait(waiter);
        }
        self.standings.wait_again(waiter);
        self.lock.waiters.push(&waiter);
        Step::Waits
    }
}

impl<const HANDS_ON: bool> Subject for OurCondition<HANDS_ON> {
    fn ask(&mut self, waiter: Waiter) -> Step {
        assert_eq!(self.standings.waiter(), waiter);
        if self.lock.try_acquire().unwrap() {
            return Step::Has;
        }
        self.lock.waiters.push(&waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if self.condition.waiters.to_vec().contains(&waiter) {
            self.returning.insert(waiter, cancelled);
            return self.relock(waiter);
        }
        if cancelled {
            self.lock.give_up(&waiter).unwrap();
            if let Some(raises) = self.returning.get_mut(&waiter) {
                *raises = true;
                return self.relock(waiter);
            }
            return Step::Gone;
        }
        self.lock.take_over(&waiter);
        self.finish_wait(waiter)
    }

    fn give_back(&mut self) {
        self.lock.release().unwrap().unwrap();
    }

    fn wait(&mut self, waiter: Waiter) {
        self.standings.wait_again(waiter);
        self.condition.begin(&self.lock, &waiter).unwrap().unwrap();
    }

    fn notify(&mut self, limit: usize) {
        if self.lock.is_locked() {
            self.condition.notify(limit).unwrap();
        }
    }

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.standings.cancel(waiter);
    }

    fn waiter_state(&self, waiter: Waiter) -> WaiterState {
        self.standings.of(waiter)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: i64::from(!self.lock.is_locked()),
            line: shown(&self.lock.waiters),
            condition: shown(&self.condition.waiters),
        }
    }
}

fn shown(line: &ManualLine) -> Vec<(Waiter, WaiterState)> {
    line.to_vec()
        .into_iter()
        .map(|waiter| (waiter, line.standings.of(waiter)))
        .collect()
}
