//! `asyncio.Semaphore`, `Condition` and `Lock`, line by line, by the rules since CPython 3.13 and
//! before.

use std::collections::HashMap;

use greenloop_core::WaiterState;

use super::manual_line::Waiter;
use super::{Snapshot, Step, Subject, remove};

/// `asyncio.Semaphore`.
pub struct AsyncioSemaphore {
    value: i64,
    waiters: Vec<Waiter>,
    futures: Futures,
    since_3_13: bool,
}

impl AsyncioSemaphore {
    pub fn new(value: i64, since_3_13: bool) -> Self {
        Self {
            value,
            waiters: Vec::new(),
            futures: Futures::default(),
            since_3_13,
        }
    }

    fn locked(&self) -> bool {
        self.value == 0 || self.waiters.iter().any(|w| !self.futures.cancelled(*w))
    }

    fn wake_up_next(&mut self) -> bool {
        for index in 0..self.waiters.len() {
            let waiter = self.waiters[index];
            if !self.futures.done(waiter) {
                self.value -= 1;
                self.futures.set_result(waiter);
                return true;
            }
        }
        false
    }
}

impl Subject for AsyncioSemaphore {
    fn ask(&mut self, waiter: Waiter) -> Step {
        self.futures.create(waiter);
        if !self.locked() {
            self.value -= 1;
            return Step::Has;
        }
        self.waiters.push(waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        remove(&mut self.waiters, waiter);
        if self.since_3_13 {
            if cancelled && self.futures.done(waiter) && !self.futures.cancelled(waiter) {
                self.value += 1;
            }
            while self.value > 0 {
                if !self.wake_up_next() {
                    break;
                }
            }
        } else if cancelled {
            if !self.futures.cancelled(waiter) {
                self.value += 1;
                self.wake_up_next();
            }
        } else if self.value > 0 {
            self.wake_up_next();
        }
        if cancelled { Step::Gone } else { Step::Has }
    }

    fn give_back(&mut self) {
        self.value += 1;
        self.wake_up_next();
    }

    fn wait(&mut self, _waiter: Waiter) {}

    fn notify(&mut self, _limit: usize) {}

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.futures.0.insert(waiter, WaiterState::Cancelled);
    }

    fn waiter_state(&self, waiter: Waiter) -> WaiterState {
        self.futures.0[&waiter]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: self.value,
            line: self.futures.shown(&self.waiters),
            condition: Vec::new(),
        }
    }
}

/// `asyncio.Condition` and its `asyncio.Lock`.
pub struct AsyncioCondition {
    locked: bool,
    lock_waiters: Vec<Waiter>,
    waiters: Vec<Waiter>,
    /// The task that waited for the condition, and whether it raises a cancellation in the end.
    returning: HashMap<Waiter, bool>,
    futures: Futures,
    since_3_13: bool,
}

impl AsyncioCondition {
    pub fn new(since_3_13: bool) -> Self {
        Self {
            locked: false,
            lock_waiters: Vec::new(),
            waiters: Vec::new(),
            returning: HashMap::new(),
            futures: Futures::default(),
            since_3_13,
        }
    }

    fn acquire(&mut self, waiter: Waiter) -> Step {
        if !self.locked && self.lock_waiters.iter().all(|w| self.futures.cancelled(*w)) {
            self.locked = true;
            return Step::Has;
        }
        self.futures.create(waiter);
        self.lock_waiters.push(waiter);
        Step::Waits
    }

    fn wake_up_first(&mut self) {
        if let Some(waiter) = self.lock_waiters.first().copied() {
            if !self.futures.done(waiter) {
                self.futures.set_result(waiter);
            }
        }
    }

    fn release(&mut self) {
        assert!(self.locked);
        self.locked = false;
        self.wake_up_first();
    }

    fn notify_unasked(&mut self, limit: usize) {
        let mut notified = 0;
        for index in 0..self.waiters.len() {
            let waiter = self.waiters[index];
            if notified >= limit {
                break;
            }
            if !self.futures.done(waiter) {
                notified += 1;
                self.futures.set_result(waiter);
            }
        }
    }

    /// The end of `wait`, once the lock is held.
    fn finish_wait(&mut self, waiter: Waiter) -> Step {
        match self.returning.remove(&waiter) {
            Some(true) => {
                if self.since_3_13 {
                    self.notify_unasked(1);
                }
                // `async with` lets go of the lock.
                self.release();
                Step::Gone
            }
            _ => Step::Has,
        }
    }

    fn reacquire(&mut self, waiter: Waiter) -> Step {
        match self.acquire(waiter) {
            Step::Has => self.finish_wait(waiter),
            other => other,
        }
    }
}

impl Subject for AsyncioCondition {
    fn ask(&mut self, waiter: Waiter) -> Step {
        self.acquire(waiter)
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if self.waiters.contains(&waiter) {
            remove(&mut self.waiters, waiter);
            self.returning.insert(waiter, cancelled);
            return self.reacquire(waiter);
        }
        remove(&mut self.lock_waiters, waiter);
        if cancelled {
            if !self.locked {
                self.wake_up_first();
            }
            if let Some(raises) = self.returning.get_mut(&waiter) {
                *raises = true;
                return self.reacquire(waiter);
            }
            return Step::Gone;
        }
        self.locked = true;
        self.finish_wait(waiter)
    }

    fn give_back(&mut self) {
        self.release();
    }

    fn wait(&mut self, waiter: Waiter) {
        self.futures.create(waiter);
        self.release();
        self.waiters.push(waiter);
    }

    fn notify(&mut self, limit: usize) {
        if self.locked {
            self.notify_unasked(limit);
        }
    }

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.futures.0.insert(waiter, WaiterState::Cancelled);
    }

    fn waiter_state(&self, waiter: Waiter) -> WaiterState {
        self.futures.0[&waiter]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: i64::from(!self.locked),
            line: self.futures.shown(&self.lock_waiters),
            condition: self.futures.shown(&self.waiters),
        }
    }
}

/// asyncio's futures: what each waiter awaits.
#[derive(Default)]
struct Futures(HashMap<Waiter, WaiterState>);

impl Futures {
    fn create(&mut self, waiter: Waiter) {
        self.0.insert(waiter, WaiterState::Waiting);
    }

    fn done(&self, waiter: Waiter) -> bool {
        self.0[&waiter] != WaiterState::Waiting
    }

    fn cancelled(&self, waiter: Waiter) -> bool {
        self.0[&waiter] == WaiterState::Cancelled
    }

    fn set_result(&mut self, waiter: Waiter) {
        self.0.insert(waiter, WaiterState::Woken);
    }

    fn shown(&self, line: &[Waiter]) -> Vec<(Waiter, WaiterState)> {
        line.iter()
            .map(|waiter| (*waiter, self.0[waiter]))
            .collect()
    }
}
