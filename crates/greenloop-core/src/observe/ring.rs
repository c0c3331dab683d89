//! The flight recorder: a ring that keeps the latest events, written by one thread and read by any.
//!
//! The [`Writer`] never waits, never allocates and never fails: it overwrites the oldest record. A
//! reader keeps a cursor, the number of the next record that it wants, and is told how many records
//! were overwritten before it came. No reader changes anything that the writer or another reader
//! looks at.
//!
//! ```text
//!   writer, record n                            reader, record i
//!   ────────────────                            ────────────────
//!   a  fence(Release)                           e  head.load(Acquire), which is greater than i
//!   b  words of slot n mod capacity (Relaxed)   f  words of slot i mod capacity (Relaxed)
//!   c  head.store(n + 1, Release)               g  fence(Acquire)
//!                                               h  head.load(Relaxed)
//! ```
//! No torn record is ever returned, for this reason: by `c` and `e`, all words of record i happen
//! before they are read, so a read of a word sees that of record i or a later one, never an older
//! one. Suppose that a read sees the word of a later record of the same slot, whose number n is at
//! least i + capacity. The head had become n before the fence `a` of that record, and the fences
//! `a` and `g` synchronise through that word, so `h` sees a head of at least n. Therefore a record
//! is whole if `h` is less than i + capacity, and all others are counted as lost. For the same
//! reason the record at a distance of the whole capacity is given up while the writer may be at
//! work in its slot: readers get one record less than the capacity.
//!
//! The fence `a` is needed because `c` of the record before does not keep the words of this one
//! from being seen first. On x86 both fences cost no instruction.

// The standard library's, or in `tests/loom` those of loom, which tries every interleaving.
use super::primitives::{Arc, AtomicU64, Ordering, fence};

use super::event::Event;

/// How many records a reader copies before it checks that they are whole: with more of them, more
/// are lost to a writer that overtakes it; with fewer, it takes the writer's line more often.
const RECORDS_AT_ONCE: usize = 32;

/// The latest events of one writer, for any number of readers.
#[derive(Debug)]
pub struct Ring {
    /// How many records were written since the ring was made; the number of the next one.
    head: AtomicU64,
    /// Their number is a power of two.
    slots: Box<[Slot]>,
}

/// The words of one record, which share a cache line.
#[derive(Debug)]
#[repr(align(32))]
struct Slot([AtomicU64; 4]);

impl Ring {
    fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2).next_power_of_two();
        let empty = |_| Slot(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            head: AtomicU64::new(0),
            slots: (0..capacity).map(empty).collect(),
        }
    }

    /// How many records there is room for. A reader that falls behind by as many loses some.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many events were written so far: the cursor of a reader that wants only those to come.
    pub fn written(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The cursor of a reader that wants the last `count` events, or as many as there are.
    pub fn latest(&self, count: u64) -> u64 {
        let written = self.written();
        let kept = u64::try_from(self.capacity() - 1).unwrap_or(u64::MAX);
        written - written.min(count).min(kept)
    }

    /// Appends the events from `cursor` on, up to those that were written when the call began, and
    /// moves the cursor behind them. Returns how many were lost. All of them are older than the
    /// events that are appended: a call that is overtaken halfway ends there, and the next one
    /// counts the loss.
    ///
    /// A new reader begins with a cursor of 0, of [`latest`](Self::latest), or of
    /// [`written`](Self::written).
    pub fn read(&self, cursor: &mut u64, into: &mut Vec<Event>) -> u64 {
        let start = *cursor;
        let before = into.len();
        let end = self.written();
        let mut next = start.max(self.oldest(end));
        while next < end {
            let (copies, behind) = self.copy(next, end);
            let oldest = self.oldest(self.head.load(Ordering::Relaxed));
            if oldest > next && into.len() > before {
                break;
            }
            let copies = (next..behind).zip(copies);
            let whole = copies.filter(|(number, _)| *number >= oldest);
            into.extend(whole.filter_map(|(_, words)| Event::from_words(words)));
            next = behind.max(oldest).min(end);
        }
        *cursor = start.max(next);
        let read = u64::try_from(into.len() - before).unwrap_or(u64::MAX);
        (*cursor - start).saturating_sub(read)
    }

    /// Copies some records from `next` on, and returns them with the number behind the last one.
    /// Some may be torn, which shows in the head after this call.
    #[inline]
    fn copy(&self, next: u64, end: u64) -> ([[u64; 4]; RECORDS_AT_ONCE], u64) {
        let mut copies = [[0; 4]; RECORDS_AT_ONCE];
        let mut behind = next;
        for (number, copy) in (next..end).zip(&mut copies) {
            let Slot(words) = self.slot(number);
            for (word, place) in words.iter().zip(copy) {
                *place = word.load(Ordering::Relaxed);
            }
            behind = number + 1;
        }
        fence(Ordering::Acquire);
        (copies, behind)
    }

    /// The number of the oldest record that the writer does not overwrite at this head.
    fn oldest(&self, head: u64) -> u64 {
        let capacity = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        (head + 1).saturating_sub(capacity)
    }

    #[inline]
    fn slot(&self, number: u64) -> &Slot {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the capacity is a power of two, so the upper bits are masked out anyway"
        )]
        let index = number as usize & (self.slots.len() - 1);
        &self.slots[index]
    }
}

/// The one writer of a [`Ring`], on whichever thread it is.
#[derive(Debug)]
pub struct Writer {
    ring: Arc<Ring>,
    /// Keeps two threads from writing through one reference; the writer may change threads.
    _not_sync: std::marker::PhantomData<std::cell::Cell<()>>,
}

impl Writer {
    /// The writer of a new ring, with room for at least `capacity` records: the next power of two.
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: Arc::new(Ring::new(capacity)),
            _not_sync: std::marker::PhantomData,
        }
    }

    /// The ring, for its readers.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Writes an event, over the oldest one if the ring is full.
    #[inline]
    pub fn write(&self, event: Event) {
        let ring = &*self.ring;
        // Nobody else writes it.
        let number = ring.head.load(Ordering::Relaxed);
        fence(Ordering::Release);
        let Slot(words) = ring.slot(number);
        for (place, word) in words.iter().zip(event.to_words()) {
            place.store(word, Ordering::Relaxed);
        }
        ring.head.store(number + 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{EventBody, EventKind};
    use super::*;

    fn event(time: u64) -> Event {
        EventBody::new(EventKind::StepBegan).at(time)
    }

    fn write(writer: &Writer, times: std::ops::Range<u64>) {
        times.for_each(|time| writer.write(event(time)));
    }

    /// Reads, and says how many were lost and which were read.
    fn read(ring: &Ring, cursor: &mut u64) -> (u64, Vec<u64>) {
        let mut events = Vec::new();
        let lost = ring.read(cursor, &mut events);
        (lost, events.iter().map(|event| event.time).collect())
    }

    #[test]
    fn the_capacity_is_a_power_of_two() {
        for (asked, expected) in [(0, 2), (2, 2), (3, 4), (1000, 1024)] {
            assert_eq!(Writer::new(asked).ring().capacity(), expected);
        }
    }

    #[test]
    fn each_reader_gets_each_event_once_and_in_order() {
        let writer = Writer::new(128);
        let ring = writer.ring();
        let (mut one, mut other) = (0, 0);
        assert_eq!(read(ring, &mut one), (0, vec![]));
        write(&writer, 0..3);
        assert_eq!(read(ring, &mut one), (0, vec![0, 1, 2]));
        write(&writer, 3..100);
        assert_eq!(read(ring, &mut one), (0, (3..100).collect()));
        assert_eq!(read(ring, &mut other), (0, (0..100).collect()));
        assert_eq!(read(ring, &mut other), (0, vec![]));
    }

    #[test]
    fn the_oldest_are_overwritten_and_counted() {
        let writer = Writer::new(4);
        let ring = writer.ring();
        let mut cursor = 0;
        write(&writer, 0..4);
        // The writer may be at work in the slot of the first.
        assert_eq!(read(ring, &mut cursor), (1, vec![1, 2, 3]));
        write(&writer, 4..1000);
        assert_eq!(read(ring, &mut cursor), (993, vec![997, 998, 999]));
        assert_eq!(cursor, 1000);
    }

    #[test]
    fn a_reader_begins_where_it_wants() {
        let writer = Writer::new(8);
        let ring = writer.ring();
        assert_eq!((ring.latest(3), ring.written()), (0, 0));
        write(&writer, 0..20);
        assert_eq!(read(ring, &mut ring.latest(3)), (0, vec![17, 18, 19]));
        assert_eq!(read(ring, &mut ring.latest(100)), (0, (13..20).collect()));
        assert_eq!(read(ring, &mut ring.written()), (0, vec![]));
        // A cursor of the future waits for its time.
        assert_eq!(read(ring, &mut 25), (0, vec![]));
    }
}
