//! The ring of events in every interleaving of its writer and a reader.

use greenloop_loom::event::{Event, EventBody, EventKind};
use greenloop_loom::ring::{Ring, Writer};
use loom::sync::Arc;

/// An event all of whose words say which one it is.
fn event(number: u32) -> Event {
    let body = EventBody {
        task: number,
        other: number,
        site: number,
        value: i64::from(number),
        ..EventBody::new(EventKind::Put)
    };
    body.at(u64::from(number))
}

/// Writes that many events into a ring of two records while another thread reads that often, and
/// reads once more at the end.
fn check(written: u32, reads: usize) {
    loom::model(move || {
        let writer = Writer::new(2);
        let ring = Arc::clone(writer.ring());
        let thread = loom::thread::spawn(move || {
            let mut cursor = 0;
            for _ in 0..reads {
                read(&ring, &mut cursor);
            }
            (ring, cursor)
        });
        (0..written).for_each(|number| writer.write(event(number)));
        let (ring, mut cursor) = thread.join().expect("it does not panic");
        let last = read(&ring, &mut cursor);
        assert_eq!(cursor, u64::from(written));
        assert!(last.is_none_or(|last| last == event(written - 1)));
    });
}

/// Reads once, and returns the last event. The events that were lost and those that were read are
/// together all that were written, in order and without a gap.
fn read(ring: &Ring, cursor: &mut u64) -> Option<Event> {
    let start = *cursor;
    let mut events = Vec::new();
    let lost = ring.read(cursor, &mut events);
    let first = start + lost;
    let numbers = first..*cursor;
    assert_eq!(numbers.count(), events.len());
    for (number, read) in (first..).zip(&events) {
        let number = u32::try_from(number).expect("it is small");
        assert_eq!(*read, event(number), "a torn record");
    }
    events.last().copied()
}

#[test]
fn no_record_is_torn_when_the_writer_comes_round() {
    check(3, 1);
}

#[test]
fn a_reader_that_comes_again_gets_what_follows() {
    check(2, 2);
}
