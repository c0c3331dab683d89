//! Who sleeps: what stands in the heap of timers, and which of that still means something.
//!
//! ```text
//!   set ──────► pending ──────► rung ──────► (free)
//!                  │    2 ring        3 give back
//!                  └───────────────────────► (free)
//!                       3 give back, before its time
//! ```
//! An alarm is a number that is never given twice, kept in a place while somebody waits for it. The job in the
//! heap names both, and whom to wake. So giving up a sleep is a write into a dense table, and finding
//! out whether a job is dead a read: neither touches the task, which with many sleepers has left the caches.

use std::cell::RefCell;

/// See the module's text.
#[derive(Default)]
pub struct Alarms {
    table: RefCell<Table>,
}

#[derive(Default)]
struct Table {
    /// The number of the alarm in each place, with [`RUNG`] when it has rung, or zero.
    numbers: Vec<u64>,
    free: Vec<u32>,
    last: u64,
}

/// Set in the place of an alarm whose time has come; at one alarm per nanosecond the numbers reach it in 292
/// years.
const RUNG: u64 = 1 << 63;

/// An alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alarm {
    place: u32,
    number: u64,
}

impl Alarms {
    /// A new alarm.
    #[inline]
    pub fn set(&self) -> Alarm {
        let mut table = self.table.borrow_mut();
        table.last += 1;
        let number = table.last;
        let place = match table.free.pop() {
            Some(place) => {
                table.numbers[place as usize] = number;
                place
            }
            None => table.extend(number),
        };
        Alarm { place, number }
    }

    /// Whether nobody waits for it any more.
    #[inline]
    pub fn is_dead(&self, alarm: Alarm) -> bool {
        self.table.borrow().numbers[alarm.place as usize] != alarm.number
    }

    /// Its time has come.
    #[inline]
    pub fn ring(&self, alarm: Alarm) {
        self.table.borrow_mut().numbers[alarm.place as usize] = alarm.number | RUNG;
    }

    /// Whether its time has come.
    #[inline]
    pub fn has_rung(&self, alarm: Alarm) -> bool {
        self.table.borrow().numbers[alarm.place as usize] == alarm.number | RUNG
    }

    /// Nobody waits for it any more. Returns whether its job is still somewhere, dead from now on.
    #[inline]
    pub fn give_back(&self, alarm: Alarm) -> bool {
        let mut table = self.table.borrow_mut();
        let before = std::mem::take(&mut table.numbers[alarm.place as usize]);
        table.free.push(alarm.place);
        before == alarm.number
    }
}

impl Table {
    #[cold]
    fn extend(&mut self, number: u64) -> u32 {
        // Each is a job of 40 bytes in the heap as well, which ends long before.
        let place = u32::try_from(self.numbers.len()).expect("fewer than 2^32 alarms are set");
        self.numbers.push(number);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_once_for_who_has_set_it() {
        let alarms = Alarms::default();
        let alarm = alarms.set();
        assert!(!alarms.is_dead(alarm) && !alarms.has_rung(alarm));
        alarms.ring(alarm);
        assert!(alarms.has_rung(alarm));
        assert!(!alarms.give_back(alarm), "its job has run");
    }

    #[test]
    fn a_place_that_is_used_again_says_nothing_of_the_alarm_before() {
        let alarms = Alarms::default();
        let first = alarms.set();
        assert!(alarms.give_back(first), "its job is in the heap still");
        assert!(alarms.is_dead(first));
        let second = alarms.set();
        assert_eq!(first.place, second.place);
        assert!(alarms.is_dead(first) && !alarms.is_dead(second));
        alarms.ring(second);
        assert!(!alarms.has_rung(first));
    }
}
