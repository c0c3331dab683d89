//! The two clocks of a loop: the system's, and one that moves only while all tasks wait.

use std::cell::Cell;
use std::time::Duration;

use greenloop_core::{Instant, Wait};
use greenloop_os as os;

/// The clock of a loop.
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    System,
    /// Begins at zero, stands still while anything runs, and jumps to the next deadline when
    /// nothing else is left to do.
    Virtual(Cell<Instant>),
}

impl Clock {
    /// A virtual clock at its beginning.
    pub const fn new_virtual() -> Self {
        Self::Virtual(Cell::new(Instant::new(0.0)))
    }

    /// Reads the clock.
    #[inline]
    pub fn now(&self) -> Instant {
        match self {
            Self::System => os::monotonic(),
            Self::Virtual(now) => now.get(),
        }
    }

    /// The time strictly before which timers are due at `now`.
    ///
    /// The system's clock advances by itself, so a timer does not fire until its deadline has
    /// passed: a sleep measured with `std::time::Instant` is never too short. The virtual clock is
    /// at the deadline itself.
    #[inline]
    pub fn horizon(&self, now: Instant) -> Instant {
        match self {
            Self::System => now,
            Self::Virtual(_) => {
                let secs = now.as_secs();
                Instant::new(secs + f64::MIN_POSITIVE.max(secs.abs() * f64::EPSILON))
            }
        }
    }

    /// How long the operating system may be waited for, or `None` for ever. With a virtual clock a
    /// deadline is no reason to wait.
    pub fn timeout(&self, wait: Wait) -> Option<Duration> {
        match (wait, self) {
            (Wait::Now, _) | (Wait::Until(_), Self::Virtual(_)) => Some(Duration::ZERO),
            (Wait::Until(deadline), Self::System) => Some(self.now().until(deadline)),
            (Wait::Forever, _) => None,
        }
    }

    /// Nothing is left to be done before `deadline`: a virtual clock jumps there.
    pub fn skip_to(&self, deadline: Instant) {
        if let Self::Virtual(now) = self {
            now.set(now.get().max(deadline));
        }
    }

    /// Whether it is a virtual one.
    pub const fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_moves_when_it_is_told_to_and_never_back() {
        let clock = Clock::new_virtual();
        assert_eq!(clock.now(), Instant::new(0.0));
        clock.skip_to(Instant::new(2.0));
        clock.skip_to(Instant::new(1.0));
        clock.skip_to(Instant::new(f64::NAN));
        assert_eq!(clock.now(), Instant::new(2.0));
    }

    #[test]
    fn a_deadline_at_which_a_virtual_clock_stands_is_due() {
        let clock = Clock::new_virtual();
        for deadline in [0.0, 1e-9, 0.1, 1.0, 1e9] {
            let deadline = Instant::new(deadline);
            clock.skip_to(deadline);
            assert!(deadline < clock.horizon(clock.now()), "{deadline:?}");
        }
    }

    #[test]
    fn only_the_system_is_waited_for() {
        let (system, virtually) = (Clock::System, Clock::new_virtual());
        let late = Wait::Until(Instant::new(f64::INFINITY));
        assert_eq!(virtually.timeout(late), Some(Duration::ZERO));
        assert_eq!(system.timeout(late), Some(Instant::LONGEST_WAIT));
        assert_eq!(system.timeout(Wait::Forever), None);
        assert_eq!(virtually.timeout(Wait::Forever), None);
    }
}
