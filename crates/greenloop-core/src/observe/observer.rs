//! The seam through which a loop is observed, and the numbers of its tasks and resources.
//!
//! The code that is observed holds an [`Observer`], and tells it an [`EventBody`] at a few named
//! points. The type of the observer decides the cost: `()` costs nothing, an `Option` of an
//! observer one branch while there is none, and a [`Recorder`] asks the clock and writes a record.
//! No observer calls back into the loop, so it may be told at any point.

use std::cell::Cell;

use super::event::EventBody;
use super::ring::Writer;

/// Is told of events, in the order in which they happen.
pub trait Observer {
    /// Takes note of an event, which happens now.
    fn observe(&self, event: EventBody);

    /// The same of an event that costs something to describe, which nobody pays without an
    /// observer.
    #[inline]
    fn observe_with(&self, describe: impl FnOnce() -> EventBody)
    where
        Self: Sized,
    {
        self.observe(describe());
    }
}

/// Nobody observes, and the compiler removes the question.
impl Observer for () {
    #[inline]
    fn observe(&self, _event: EventBody) {}

    #[inline]
    fn observe_with(&self, _describe: impl FnOnce() -> EventBody) {}
}

/// There may be an observer, most often there is none: the way without one is straight.
impl<O: Observer> Observer for Option<O> {
    #[inline]
    fn observe(&self, event: EventBody) {
        if let Some(observer) = self {
            seldom();
            observer.observe(event);
        }
    }

    #[inline]
    fn observe_with(&self, describe: impl FnOnce() -> EventBody) {
        if let Some(observer) = self {
            seldom();
            observer.observe_with(describe);
        }
    }
}

/// Tells the compiler that the way on which it is called is not taken often.
#[cold]
const fn seldom() {}

impl<O: Observer> Observer for &O {
    #[inline]
    fn observe(&self, event: EventBody) {
        O::observe(self, event);
    }

    #[inline]
    fn observe_with(&self, describe: impl FnOnce() -> EventBody) {
        O::observe_with(self, describe);
    }
}

/// Writes the events that it is told into a ring, with the time of a clock of the caller's.
#[derive(Debug)]
pub struct Recorder<C> {
    writer: Writer,
    clock: C,
}

impl<C: Fn() -> u64> Recorder<C> {
    /// A recorder whose clock says nanoseconds since the recording began, and never goes back.
    pub const fn new(writer: Writer, clock: C) -> Self {
        Self { writer, clock }
    }

    /// The writer, for events whose time is known already, and for the readers of its ring.
    pub const fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl<C: Fn() -> u64> Observer for Recorder<C> {
    #[inline]
    fn observe(&self, event: EventBody) {
        self.writer.write(event.at((self.clock)()));
    }
}

/// The numbers of tasks and resources: 1, 2, 3 and so on, none of them twice.
#[derive(Debug, Default)]
pub struct Numbers {
    last: Cell<u32>,
}

impl Numbers {
    /// The number of everything that came after all others were used up. It says nothing about
    /// which task or resource it is, and stands for none.
    pub const NONE_LEFT: u32 = u32::MAX;

    /// No number is used yet.
    pub const fn new() -> Self {
        Self { last: Cell::new(0) }
    }

    /// The next number, or [`NONE_LEFT`](Self::NONE_LEFT) from then on.
    #[inline]
    pub fn next(&self) -> u32 {
        let number = self.last.get().saturating_add(1);
        self.last.set(number);
        number
    }

    /// Whether a number was asked for that was not there: at a million a second, after 71 minutes.
    pub fn are_used_up(&self) -> bool {
        self.last.get() == Self::NONE_LEFT
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{Event, EventKind};
    use super::*;

    fn recorder(now: &Cell<u64>) -> Recorder<impl Fn() -> u64> {
        Recorder::new(Writer::new(8), || now.get())
    }

    fn recorded(writer: &Writer) -> Vec<Event> {
        let mut events = Vec::new();
        writer.ring().read(&mut 0, &mut events);
        events
    }

    #[test]
    fn a_recorder_adds_the_time() {
        let now = Cell::new(5);
        let recorder = recorder(&now);
        let body = EventBody::new(EventKind::PollBegan);
        recorder.observe(body);
        now.set(7);
        recorder.observe_with(|| body);
        assert_eq!(recorded(recorder.writer()), [body.at(5), body.at(7)]);
    }

    #[test]
    fn an_event_is_described_only_to_somebody() {
        let now = Cell::new(0);
        let body = EventBody::new(EventKind::PollEnded);
        let described = Cell::new(0);
        let describe = || {
            described.set(described.get() + 1);
            body
        };
        ().observe_with(describe);
        None::<Recorder<fn() -> u64>>.observe_with(describe);
        assert_eq!(described.get(), 0);
        let observer = Some(recorder(&now));
        let borrowed = &observer;
        borrowed.observe_with(describe);
        borrowed.observe(body);
        assert_eq!(described.get(), 1);
        let recorder = observer.as_ref().expect("it is there");
        assert_eq!(recorded(recorder.writer()), [body.at(0); 2]);
    }

    #[test]
    fn numbers_come_in_order_and_end_at_the_one_that_stands_for_nothing() {
        let numbers = Numbers::new();
        assert_eq!([numbers.next(), numbers.next()], [1, 2]);
        numbers.last.set(Numbers::NONE_LEFT - 2);
        assert_eq!(numbers.next(), Numbers::NONE_LEFT - 1);
        assert!(!numbers.are_used_up());
        assert_eq!(numbers.next(), Numbers::NONE_LEFT);
        assert_eq!(numbers.next(), Numbers::NONE_LEFT);
        assert!(numbers.are_used_up());
    }
}
