//! The jobs that may run later, ordered by their deadlines.
//!
//! A binary heap with lazy cancellation. Timers are cancelled far more often than they expire
//! (nearly every timeout is cancelled), so cancelling must cost nothing here. The caller marks its
//! entry dead and reports that once ([`Timers::note_cancelled`]); the heap drops dead entries when
//! they reach its head, and all at once when they are more than half of it. Without the second rule
//! a program that sets and cancels long timeouts grows without bound. Both rules and both numbers
//! are asyncio's.
//!
//! When most of many timers are due at once, as after a turn that took long, they are sorted
//! instead of popped: a pop from a large heap is a cache miss per level, and sorting reads the
//! memory in order (100 000 timers in random order: 180 ns each popped, 75 sorted).
//!
//! A pushed timer joins the heap only when the next turn asks for the heap's head: many at once
//! cost less than one after the other, and a timer that was cancelled and swept by then never
//! enters the heap. The earliest deadline of the pushed timers is looked up once a turn.
//!
//! Rejected: a timer wheel (O(1), but it rounds deadlines, and asyncio's order by deadline is
//! visible), and a heap that knows each entry's position (cancels at once, but every sift writes
//! to every entry it moves).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::Instant;

/// Below or at this length the heap is never compacted: asyncio's
/// `_MIN_SCHEDULED_TIMER_HANDLES`.
const COMPACTION_LENGTH: usize = 100;

/// How many entries are popped before it is counted how many more are due. A large heap is counted
/// after this share of it, so that counting, at a nanosecond an entry, stays cheaper than popping.
const POPS_BEFORE_COUNT: usize = 64;
const SHARE_BEFORE_COUNT: usize = 64;

/// From this share of the heap on entries that are due are sorted out instead of popped.
const SHARE_WORTH_SORTING: usize = 8;

/// A heap of entries with deadlines, in which equal deadlines are first in, first out.
///
/// asyncio promises no order among equal deadlines (`heapq` is not stable); every program that
/// relies on one expects first in, first out.
#[derive(Debug)]
pub struct Timers<E> {
    heap: BinaryHeap<Timer<E>>,
    /// Pushed since the last request for the head.
    arrivals: Vec<Timer<E>>,
    /// The sequence number of the next entry; at one push per nanosecond it lasts 584 years.
    next_sequence: u64,
    /// How many entries are known to be dead, of the heap and of those that were handed out and
    /// have not been run or passed over yet. Only ever a reason to compact, so a caller that
    /// miscounts loses time and nothing else.
    cancelled: usize,
}

impl<E> Timers<E> {
    /// A heap without entries.
    pub const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            arrivals: Vec::new(),
            next_sequence: 0,
            cancelled: 0,
        }
    }

    /// Adds an entry, behind those that have the same deadline.
    ///
    /// # Panics
    /// When there is no memory left.
    #[inline]
    pub fn push(&mut self, deadline: Instant, entry: E) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        // Room is made before there is anything to be lost by failing at it, so that the timer is
        // put together in its place, and not on the stack and moved (setting and giving up a sleep:
        // 55 ns against 50).
        let room = self.arrivals.try_reserve(1);
        room.expect("there is memory for one more timer");
        self.arrivals.push(Timer {
            key: deadline.key(),
            sequence,
            entry,
        });
    }

    /// The earliest deadline, be its entry cancelled or not.
    pub fn next_deadline(&self) -> Option<Instant> {
        let arrivals = self.arrivals.iter();
        let keys = arrivals.chain(self.heap.peek()).map(|timer| timer.key);
        keys.min().map(Instant::from_key)
    }

    /// Hands out, in order and with their deadlines, the entries whose deadlines lie strictly
    /// before `horizon`, dead ones included.
    pub fn take_due(&mut self, horizon: Instant, mut hand_out: impl FnMut(Instant, E)) {
        let horizon = horizon.key();
        if self.arrivals.len() > POPS_BEFORE_COUNT && self.is_worth_sorting(&self.arrivals, horizon)
        {
            return self.sort_out(horizon, hand_out);
        }
        self.welcome();
        loop {
            for _ in 0..POPS_BEFORE_COUNT.max(self.len() / SHARE_BEFORE_COUNT) {
                match self.heap.peek() {
                    Some(timer) if timer.key < horizon => {
                        let timer = self.heap.pop();
                        timer.map(|timer| hand_out(Instant::from_key(timer.key), timer.entry))
                    }
                    _ => return,
                };
            }
            if self.is_worth_sorting(&self.heap, horizon) {
                return self.sort_out(horizon, hand_out);
            }
        }
    }

    /// Whether so many of these are due that sorting costs less than the heap.
    fn is_worth_sorting<'a>(
        &self,
        timers: impl IntoIterator<Item = &'a Timer<E>>,
        horizon: i64,
    ) -> bool
    where
        E: 'a,
    {
        let due = timers.into_iter().filter(|timer| timer.key < horizon);
        due.count() > self.len() / SHARE_WORTH_SORTING
    }

    /// Moves the arrivals into the heap.
    #[inline]
    fn welcome(&mut self) {
        if !self.arrivals.is_empty() {
            self.heap.extend(self.arrivals.drain(..));
        }
    }

    /// All there are, in no particular order.
    fn take_timers(&mut self) -> Vec<Timer<E>> {
        let mut timers = std::mem::take(&mut self.heap).into_vec();
        timers.append(&mut self.arrivals);
        timers
    }

    /// As [`take_due`](Self::take_due), for many at once.
    fn sort_out(&mut self, horizon: i64, mut hand_out: impl FnMut(Instant, E)) {
        let mut timers = self.take_timers();
        let mut due = Vec::new();
        let mut index = 0;
        while let Some(timer) = timers.get(index) {
            if timer.key < horizon {
                due.push(timers.swap_remove(index));
            } else {
                index += 1;
            }
        }
        self.heap = timers.into();
        // The order of timers is reversed, and sequence numbers leave no two equal.
        due.sort_unstable_by(|left, right| right.cmp(left));
        for timer in due {
            hand_out(Instant::from_key(timer.key), timer.entry);
        }
    }

    /// To be called once when an entry becomes dead that was not run yet, whether it is in the heap
    /// or was handed out.
    pub fn note_cancelled(&mut self) {
        self.cancelled += 1;
    }

    /// To be called when an entry that was handed out is passed over because it is dead.
    pub fn note_passed_over(&mut self) {
        self.cancelled = self.cancelled.saturating_sub(1);
    }

    /// How many entries are known to be dead.
    pub const fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// Corrects that number, for a caller that has counted otherwise.
    pub const fn set_cancelled(&mut self, cancelled: usize) {
        self.cancelled = cancelled;
    }

    /// Whether the dead entries are so many that [`compact`](Self::compact) is worth its cost.
    pub fn needs_compaction(&self) -> bool {
        self.len() > COMPACTION_LENGTH && self.cancelled > self.len() / 2
    }

    /// Takes all dead entries out, in O(n), and returns them so that the caller can drop them
    /// where user code may run.
    #[must_use = "dropping an entry may run user code, so where it is dropped is for the caller"]
    pub fn compact(&mut self, mut is_dead: impl FnMut(&E) -> bool) -> Vec<E> {
        let mut timers = self.take_timers();
        let mut dead = Vec::with_capacity(self.cancelled.min(timers.len()));
        let mut index = 0;
        while let Some(timer) = timers.get(index) {
            if is_dead(&timer.entry) {
                // The order in the vector means nothing until it is a heap again.
                dead.push(timers.swap_remove(index).entry);
            } else {
                index += 1;
            }
        }
        self.heap = timers.into();
        self.cancelled = 0;
        dead
    }

    /// Takes the earliest entry if it is dead.
    pub fn pop_cancelled_head(&mut self, is_dead: impl FnOnce(&E) -> bool) -> Option<E> {
        // With many timers each look at one is a cache miss.
        if self.cancelled == 0 {
            return None;
        }
        self.welcome();
        if !is_dead(&self.heap.peek()?.entry) {
            return None;
        }
        self.cancelled -= 1;
        self.pop_head()
    }

    /// How many entries there are, the dead ones included.
    pub fn len(&self) -> usize {
        self.heap.len() + self.arrivals.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries, the dead ones included, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let timers = self.heap.iter().chain(&self.arrivals);
        timers.map(|timer| &timer.entry)
    }

    /// Takes all entries at once, in no particular order, and leaves an empty heap.
    #[must_use = "dropping the entries inside of a borrow is what this method is there to avoid"]
    pub fn take(&mut self) -> Vec<E> {
        self.cancelled = 0;
        let timers = self.take_timers();
        timers.into_iter().map(|timer| timer.entry).collect()
    }

    fn pop_head(&mut self) -> Option<E> {
        self.heap.pop().map(|timer| timer.entry)
    }
}

impl<E> Default for Timers<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// One element of the heap. Its order is reversed, since `BinaryHeap` gives the greatest first.
#[derive(Debug)]
struct Timer<E> {
    /// The deadline's [`Instant::key`]: comparing floats, with the care that NaN needs, costs twice
    /// as much.
    key: i64,
    sequence: u64,
    entry: E,
}

impl<E> Ord for Timer<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.key, other.sequence).cmp(&(self.key, self.sequence))
    }
}

impl<E> PartialOrd for Timer<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Eq for Timer<E> {}

impl<E> PartialEq for Timer<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(timers: &mut Timers<u32>, horizon: f64) -> Vec<u32> {
        let mut drained = Vec::new();
        timers.take_due(Instant::new(horizon), |_, entry| drained.push(entry));
        drained
    }

    #[test]
    fn entries_leave_by_deadline_then_by_age() {
        let mut timers = Timers::new();
        for (deadline, entry) in [(2.0, 1), (1.0, 2), (2.0, 3), (1.0, 4), (2.0, 5)] {
            timers.push(Instant::new(deadline), entry);
        }
        assert_eq!(timers.next_deadline(), Some(Instant::new(1.0)));
        assert_eq!(drain(&mut timers, 3.0), [2, 4, 1, 3, 5]);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn the_horizon_itself_is_not_due() {
        let mut timers = Timers::new();
        timers.push(Instant::new(1.0), 1);
        assert_eq!(drain(&mut timers, 1.0), []);
        assert_eq!(drain(&mut timers, 1.0 + f64::EPSILON), [1]);
    }

    #[test]
    fn a_deadline_that_is_no_number_is_due_first() {
        let mut timers = Timers::new();
        timers.push(Instant::new(f64::NEG_INFINITY), 1);
        timers.push(Instant::new(f64::NAN), 2);
        assert_eq!(drain(&mut timers, 0.0), [2, 1]);
    }

    #[test]
    fn entries_leave_in_the_same_order_whether_few_or_many_are_due() {
        let check = |entries: u32, horizon: f64| {
            let mut timers = Timers::new();
            // 7919 is prime: the deadlines are all different, and in no order.
            let deadline = |entry: u32| f64::from(entry * 7919 % entries);
            (0..entries).for_each(|entry| timers.push(Instant::new(deadline(entry)), entry));
            let mut expected: Vec<u32> = (0..entries).collect();
            expected.retain(|entry| deadline(*entry) < horizon);
            expected.sort_by(|left, right| deadline(*left).total_cmp(&deadline(*right)));
            assert_eq!(
                drain(&mut timers, horizon),
                expected,
                "{entries}, {horizon}"
            );
            assert_eq!(timers.len(), entries as usize - expected.len());
            assert!(timers.next_deadline() >= Some(Instant::new(horizon)) || timers.is_empty());
            let rest = drain(&mut timers, f64::INFINITY);
            assert_eq!(rest.len(), entries as usize - expected.len());
            assert!(rest.is_sorted_by_key(|entry| Instant::new(deadline(*entry))));
        };
        for entries in [0, 1, 63, 64, 65, 1000, 10_000] {
            for share in [0.0, 0.01, 0.1, 0.2, 0.5, 0.99, 1.0] {
                check(entries, (f64::from(entries) * share).floor());
            }
        }
    }

    #[test]
    fn compaction_needs_more_than_a_hundred_entries_and_more_than_half_of_them_dead() {
        let check = |entries: usize, cancelled: usize, expected: bool| {
            let mut timers = Timers::new();
            (0..entries).for_each(|entry| timers.push(Instant::new(1.0), entry));
            (0..cancelled).for_each(|_| timers.note_cancelled());
            assert_eq!(
                timers.needs_compaction(),
                expected,
                "{cancelled} of {entries}"
            );
        };
        check(100, 100, false);
        check(101, 50, false);
        check(101, 51, true);
        check(102, 51, false);
        check(102, 52, true);
    }

    #[test]
    fn compaction_returns_the_dead_and_keeps_the_order_of_the_others() {
        let mut timers = Timers::new();
        for entry in 0..200 {
            timers.push(Instant::new(f64::from(entry % 7)), entry);
        }
        let survivors = |entry: &u32| entry % 3 == 0;
        let mut expected: Vec<u32> = (0..200).filter(survivors).collect();
        expected.sort_by_key(|entry| entry % 7);

        let mut dead = timers.compact(|entry| !survivors(entry));
        dead.sort_unstable();
        assert_eq!(
            dead,
            (0..200)
                .filter(|entry| !survivors(entry))
                .collect::<Vec<_>>()
        );
        assert_eq!(drain(&mut timers, 7.0), expected);
    }

    #[test]
    fn compaction_settles_the_count() {
        let mut timers = Timers::new();
        for entry in 0..300 {
            timers.push(Instant::new(1.0), entry);
            timers.note_cancelled();
        }
        assert_eq!(timers.compact(|entry| *entry < 150).len(), 150);
        assert!(!timers.needs_compaction());
    }

    #[test]
    fn only_a_dead_head_is_taken_and_it_is_no_longer_counted() {
        let mut timers = Timers::new();
        (0..102).for_each(|entry| timers.push(Instant::new(f64::from(entry)), entry));
        (0..52).for_each(|_| timers.note_cancelled());
        assert!(timers.needs_compaction());
        assert_eq!(timers.pop_cancelled_head(|entry| *entry == 1), None);
        assert_eq!(timers.pop_cancelled_head(|entry| *entry == 0), Some(0));
        assert_eq!(timers.pop_cancelled_head(|entry| *entry == 1), Some(1));
        // 50 of 100 are left.
        assert!(!timers.needs_compaction());
    }

    #[test]
    fn take_leaves_an_empty_heap_with_nothing_to_compact() {
        let mut timers = Timers::new();
        for entry in 0..101 {
            timers.push(Instant::new(1.0), entry);
            timers.note_cancelled();
        }
        assert_eq!(timers.take().len(), 101);
        assert!(timers.is_empty());
        (0..101).for_each(|entry| timers.push(Instant::new(1.0), entry));
        assert!(!timers.needs_compaction());
    }
}
