//! The sleeping tasks: the entries of the timer heap, and which of them are still valid.
//!
//! ```text
//!          1 set              2 ring               3 give back
//!   Free ────────► Pending ──────────► Rung ──────────────────► Free
//!                     │                                          ▲
//!                     └──────────────► Dead ─────────────────────┘
//!                       3 give back           4 forget
//! ```
//! An alarm is an entry in a dense table. The job in the heap names it and the waiter to wake. So
//! giving up a sleep is a write into the table, and checking whether a job is dead is a read:
//! neither touches the task, which with many sleepers has left the caches. A dead alarm keeps its
//! entry until its job has left the heap.

use std::cell::RefCell;
use std::collections::HashMap;
use std::task::Waker;

/// See the module's text.
#[derive(Default)]
pub struct Alarms {
    table: RefCell<Table>,
    /// The wakers of sleepers that are no tasks of the loop.
    wakers: RefCell<HashMap<Alarm, Waker>>,
}

#[derive(Default)]
struct Table {
    states: Vec<State>,
    free: Vec<Alarm>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Pending,
    Rung,
    Dead,
}

/// An alarm, valid until it is given back, and for its job until that is run or forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Alarm(u32);

impl Alarms {
    /// A new alarm.
    #[inline]
    pub fn set(&self) -> Alarm {
        let mut table = self.table.borrow_mut();
        let Some(alarm) = table.free.pop() else {
            return table.extend();
        };
        *table.state(alarm) = State::Pending;
        alarm
    }

    /// Keeps the waker of a waiter that is no task of the loop.
    pub fn keep_waker(&self, alarm: Alarm, waker: Waker) {
        let before = self.wakers.borrow_mut().insert(alarm, waker);
        drop(before);
    }

    /// The waker that was kept.
    #[inline]
    pub fn take_waker(&self, alarm: Alarm) -> Option<Waker> {
        let mut wakers = self.wakers.borrow_mut();
        // Most loops have none, and looking for one costs more than all else here.
        if wakers.is_empty() {
            None
        } else {
            wakers.remove(&alarm)
        }
    }

    /// Whether no waiter is left.
    #[inline]
    pub fn is_dead(&self, alarm: Alarm) -> bool {
        self.table.borrow().states[alarm.0 as usize] == State::Dead
    }

    /// Its time has come, and its job is run.
    #[inline]
    pub fn ring(&self, alarm: Alarm) {
        *self.table.borrow_mut().state(alarm) = State::Rung;
    }

    /// Whether its time has come.
    #[inline]
    pub fn has_rung(&self, alarm: Alarm) -> bool {
        self.table.borrow().states[alarm.0 as usize] == State::Rung
    }

    /// Nobody waits for it any more. Returns whether its job is still somewhere, dead from now on.
    #[inline]
    pub fn give_back(&self, alarm: Alarm) -> bool {
        let mut table = self.table.borrow_mut();
        let is_pending = *table.state(alarm) == State::Pending;
        if is_pending {
            *table.state(alarm) = State::Dead;
        } else {
            table.release(alarm);
        }
        is_pending
    }

    /// The job of a dead alarm is gone.
    #[inline]
    pub fn forget(&self, alarm: Alarm) {
        // Its waker goes first: dropping it may set the next alarm.
        drop(self.take_waker(alarm));
        self.table.borrow_mut().release(alarm);
    }
}

impl Alarm {
    /// The alarm at a place.
    #[inline]
    pub const fn at(place: u32) -> Self {
        Self(place)
    }

    /// Its place.
    #[inline]
    pub const fn place(self) -> u32 {
        self.0
    }
}

impl Table {
    #[inline]
    fn state(&mut self, alarm: Alarm) -> &mut State {
        &mut self.states[alarm.0 as usize]
    }

    #[inline]
    fn release(&mut self, alarm: Alarm) {
        *self.state(alarm) = State::Free;
        self.free.push(alarm);
    }

    #[cold]
    fn extend(&mut self) -> Alarm {
        // Each is a job of 32 bytes in the heap as well, for which memory ends before.
        let place = u32::try_from(self.states.len()).expect("fewer than 2^32 alarms are set");
        self.states.push(State::Pending);
        Alarm(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_once_each_time_it_is_set() {
        let alarms = Alarms::default();
        let alarm = alarms.set();
        assert!(!alarms.is_dead(alarm) && !alarms.has_rung(alarm));
        alarms.ring(alarm);
        assert!(alarms.has_rung(alarm));
        assert!(!alarms.give_back(alarm), "its job has run");
        assert_eq!(alarms.set(), alarm);
        assert!(!alarms.has_rung(alarm));
    }

    #[test]
    fn a_dead_alarm_keeps_its_place_until_its_job_is_gone() {
        let alarms = Alarms::default();
        let first = alarms.set();
        assert!(alarms.give_back(first), "its job is in the heap still");
        assert!(alarms.is_dead(first));
        assert_ne!(alarms.set(), first);
        alarms.forget(first);
        assert_eq!(alarms.set(), first);
        assert!(!alarms.is_dead(first));
    }
}
