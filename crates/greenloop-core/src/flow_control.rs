//! The decision when a writer pauses and when it resumes.
//!
//! ```text
//!                1 grew above the high mark
//!      ┌───────┐ ──────────────────────────► ┌────────┐
//!      │ flows │                             │ paused │
//!      └───────┘ ◄────────────────────────── └────────┘
//!                2 shrank to the low mark
//! ```
//! The distance between the two marks keeps a connection from being paused and resumed at every
//! packet. Each transition is reported exactly once.
//!
//! asyncio has two rules for the high mark. Its transports pause a writer whose bytes are more than
//! it ([`FlowControl::grew`]); its TLS pauses a side whose bytes have reached it, and asks at each
//! change for either transition ([`FlowControl::control`]).

/// How many bytes may wait before a writer is asked to pause, unless it says otherwise: asyncio's
/// 64 KiB.
const HIGH: usize = 64 * 1024;

/// The water marks of one connection, and whether its writer was asked to pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowControl {
    high: usize,
    low: usize,
    paused: bool,
}

/// A transition of a [`FlowControl`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    /// The side has to be paused.
    Pause,
    /// The side has to be resumed.
    Resume,
}

impl FlowControl {
    /// Flowing, with marks at 64 and 16 KiB.
    pub const fn new() -> Self {
        Self {
            high: HIGH,
            low: Self::default_low(HIGH),
            paused: false,
        }
    }

    /// The low mark that goes with a high one, if nobody asks for another: asyncio's quarter.
    pub const fn default_low(high: usize) -> usize {
        high / 4
    }

    /// Moves the high mark. The next [`grew`](Self::grew) compares the bytes that wait already.
    pub const fn set_high(&mut self, high: usize) {
        self.high = high;
    }

    /// Moves the low mark. The next [`shrank`](Self::shrank) compares the bytes that wait already.
    pub const fn set_low(&mut self, low: usize) {
        self.low = low;
    }

    /// How many bytes may wait before a writer is asked to pause.
    pub const fn high(&self) -> usize {
        self.high
    }

    /// How many bytes may still wait when a writer is resumed.
    pub const fn low(&self) -> usize {
        self.low
    }

    /// Transition 1: `waiting` bytes wait now. Whether the writer has to be paused.
    #[must_use]
    pub const fn grew(&mut self, waiting: usize) -> bool {
        let pauses = !self.paused && waiting > self.high;
        self.paused |= pauses;
        pauses
    }

    /// Transition 2: `waiting` bytes still wait. Whether the writer has to be resumed.
    #[must_use]
    pub const fn shrank(&mut self, waiting: usize) -> bool {
        let resumes = self.paused && waiting <= self.low;
        self.paused &= !resumes;
        resumes
    }

    /// Either transition, by the rule of TLS: `waiting` bytes wait now, and as many as the high
    /// mark are too many. If the marks are equal, a count that is equal to them changes the state
    /// each time.
    #[inline]
    #[must_use]
    pub const fn control(&mut self, waiting: usize) -> Option<Transition> {
        if self.paused {
            if waiting > self.low {
                return None;
            }
            self.paused = false;
            Some(Transition::Resume)
        } else {
            if waiting < self.high {
                return None;
            }
            self.paused = true;
            Some(Transition::Pause)
        }
    }

    /// Whether the writer was paused and not yet resumed.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }
}

impl Default for FlowControl {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_are_asyncios_own() {
        let mut flow = FlowControl::new();
        assert!(!flow.grew(65_536));
        assert!(flow.grew(65_537));
        assert!(!flow.shrank(16_385));
        assert!(flow.shrank(16_384));
    }

    #[test]
    fn each_transition_is_told_once() {
        let mut flow = FlowControl::new();
        assert!(!flow.shrank(0), "a writer that flows is not resumed");
        assert!(flow.grew(100_000));
        assert!(!flow.grew(200_000));
        assert!(flow.is_paused());
        assert!(flow.shrank(0));
        assert!(!flow.shrank(0));
        assert!(!flow.is_paused());
    }

    #[test]
    fn a_side_of_tls_is_paused_by_its_mark_itself() {
        let mut flow = FlowControl::new();
        assert_eq!(flow.control(65_535), None);
        assert_eq!(flow.control(65_536), Some(Transition::Pause));
        assert_eq!(flow.control(usize::MAX), None);
        assert_eq!(flow.control(16_385), None);
        assert_eq!(flow.control(16_384), Some(Transition::Resume));
        assert_eq!(flow.control(0), None);
    }

    #[test]
    fn a_side_of_tls_with_a_mark_of_zero_is_paused_although_nothing_waits() {
        let mut flow = FlowControl::new();
        flow.set_high(0);
        flow.set_low(0);
        assert_eq!(flow.control(0), Some(Transition::Pause));
        assert_eq!(flow.control(0), Some(Transition::Resume));
    }

    #[test]
    fn moved_marks_hold_from_the_next_question_on() {
        let mut flow = FlowControl::new();
        flow.set_high(0);
        flow.set_low(0);
        assert!(!flow.grew(0));
        assert!(flow.grew(1));
        flow.set_low(10);
        assert!(flow.shrank(10));
        flow.set_high(usize::MAX);
        assert!(!flow.grew(usize::MAX));
    }
}
