//! `ReceiveSizePredictor`: the room that the next receive of a connection gets.
//!
//! The number of bytes that have come is not known beforehand, and the program wants an object of
//! exactly those. There are two ways to make one:
//!
//! * [`Receive::Copied`]: they are received into a buffer and copied. For small amounts that costs
//!   less than an object made too large and cut to size, which takes an `mmap` and a page fault per
//!   page each time.
//! * [`Receive::InPlace`]: they are received into the object itself. When the program has not kept
//!   it, the next receive goes into the same one: no copy, no allocation.
//!
//! ```text
//!              1 16 KiB or more came                  3 the program has kept a large object
//!   ┌────────┐ ─────────────────────► ┌──────────┐ ─────────────────────────► ┌───────────┐
//!   │ copied │                        │ in place │                            │ copied to │
//!   └────────┘ ◄───────────────────── └──────────┘                            │ the end   │
//!              2 less came                                                    └───────────┘
//! ```
//! 1 and 2 are [`copied`](ReceiveSizePredictor::copied) and
//! [`received`](ReceiveSizePredictor::received); 3 is [`kept`](ReceiveSizePredictor::kept). A
//! program that keeps its data is noticed the first time, so that only once does it hold more
//! memory than it has bytes.

/// From how many bytes on a copy costs more than it saves.
const MUCH: usize = 16 * 1024;

/// The most that one receive takes, even if more has come: the bytes that the kernel has written
/// are still in the cache when the program reads them, and the memory of an object of this size is
/// reused where a larger one is mapped anew. A gibibyte costs a fifth less than in receives of 256
/// KiB, and 5 % less than in receives of 32 KiB.
const MOST_AT_ONCE: usize = 64 * 1024;

/// Predicts the size of a connection's next receive by its receives so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiveSizePredictor {
    /// How much came the last time; twice as much if that was all there was room for.
    expected: usize,
    /// Set once the program has kept a large object, and never cleared.
    keeps: bool,
    /// Set if the last receive has taken less than there was room for.
    short: bool,
}

/// The way of the next receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receive {
    /// Into a buffer, `most` bytes at most. They are copied.
    Copied {
        /// How many bytes to ask for.
        most: usize,
    },
    /// Into an object with room for `room` bytes. It may have more; no more than `most` are asked
    /// for.
    InPlace {
        /// The least room that the object has. Not zero.
        room: usize,
        /// How many bytes to ask for if the object has the room.
        most: usize,
    },
}

impl ReceiveSizePredictor {
    /// That of a connection that has received nothing.
    pub const fn new() -> Self {
        Self {
            expected: 0,
            keeps: false,
            short: false,
        }
    }

    /// The way of the next receive, which takes `most` bytes at most.
    #[inline]
    #[must_use]
    pub fn next(&self, most: usize) -> Receive {
        let most = most.min(MOST_AT_ONCE);
        if self.expected < MUCH || self.keeps {
            return Receive::Copied { most };
        }
        let room = self.expected.next_power_of_two().min(most).max(1);
        Receive::InPlace { room, most }
    }

    /// Transition 1: `count` bytes were received into a buffer in which they had `room`.
    #[inline]
    pub const fn copied(&mut self, count: usize, room: usize) {
        self.short = count < room;
        self.expected = count;
    }

    /// Transition 2: `count` bytes were received into an object of `room` bytes, of which `most`
    /// were asked for. Whether the object has become one of them; if not, they fill less than half
    /// of it, and are to be copied out of it.
    #[inline]
    #[must_use]
    pub fn received(&mut self, count: usize, room: usize, most: usize) -> bool {
        let full = count == room.min(most);
        self.short = !full;
        self.expected = if full { 2 * count } else { count };
        count >= room / 2
    }

    /// Transition 3: the program has kept an object that was received into.
    pub const fn kept(&mut self) {
        self.keeps = true;
    }

    /// Whether the last receive has taken less than there was room for: of a TCP connection, all
    /// that there was.
    #[inline]
    pub const fn was_short(&self) -> bool {
        self.short
    }
}

impl Default for ReceiveSizePredictor {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: usize = 256 * 1024;

    /// One that has seen `count` bytes come into a buffer with room for all that is ever taken.
    fn after(count: usize) -> ReceiveSizePredictor {
        let mut predictor = ReceiveSizePredictor::new();
        predictor.copied(count, MOST_AT_ONCE);
        predictor
    }

    #[test]
    fn small_amounts_are_copied_and_large_ones_received_in_place() {
        let check = |count, expected| assert_eq!(after(count).next(PLENTY), expected);
        let most = 65_536;
        check(0, Receive::Copied { most });
        check(16_383, Receive::Copied { most });
        let room = |room| Receive::InPlace { room, most };
        check(16_384, room(16_384));
        check(16_385, room(32_768));
        check(65_536, room(65_536));
    }

    #[test]
    fn a_limit_of_the_connection_holds_for_both_ways() {
        assert_eq!(after(0).next(100), Receive::Copied { most: 100 });
        let in_place = Receive::InPlace {
            room: 100,
            most: 100,
        };
        assert_eq!(after(20_000).next(100), in_place);
        // An object of no bytes would be the one that all share.
        let nothing = Receive::InPlace { room: 1, most: 0 };
        assert_eq!(after(20_000).next(0), nothing);
    }

    #[test]
    fn a_full_object_is_followed_by_one_of_twice_the_size() {
        let mut predictor = after(16_384);
        assert!(predictor.received(16_384, 16_384, MOST_AT_ONCE));
        assert!(!predictor.was_short());
        let next = Receive::InPlace {
            room: 32_768,
            most: 65_536,
        };
        assert_eq!(predictor.next(PLENTY), next);
    }

    #[test]
    fn an_object_is_handed_on_if_half_of_it_is_filled() {
        let check = |count, expected| {
            let mut predictor = after(65_536);
            let handed_on = predictor.received(count, 65_536, MOST_AT_ONCE);
            assert_eq!(handed_on, expected, "{count} bytes");
            assert!(predictor.was_short());
        };
        check(32_767, false);
        check(32_768, true);
        check(65_535, true);
    }

    #[test]
    fn an_object_larger_than_asked_for_is_full_with_what_was_asked_for() {
        let mut predictor = after(20_000);
        assert!(predictor.received(30_000, 60_000, 30_000));
        assert!(!predictor.was_short());
    }

    #[test]
    fn a_program_that_keeps_an_object_gets_copies_from_then_on() {
        let mut predictor = after(65_536);
        predictor.kept();
        predictor.copied(65_536, MOST_AT_ONCE);
        let copied = Receive::Copied { most: 65_536 };
        assert_eq!(predictor.next(PLENTY), copied);
    }
}
