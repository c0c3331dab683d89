//! A stopwatch for recordings: nanoseconds since it was started.
//!
//! It reads the processor's counter where that runs at one rate on all processors, since the
//! system's clock costs two to three times as much. Elsewhere it asks the clock of
//! [`monotonic`](super::monotonic).

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::counter;

/// How long the counter is compared with the clock, once in a process.
const COMPARISON: Duration = Duration::from_millis(5);

/// The shift of a rate: rates are fixed-point numbers.
const SHIFT: u32 = 32;

/// Nanoseconds for each tick of the counter, or `None` where the counter cannot be used.
static RATE: LazyLock<Option<u64>> = LazyLock::new(|| {
    if !counter::is_steady() {
        return None;
    }
    let (ticks, clock) = (counter::read(), Instant::now());
    while clock.elapsed() < COMPARISON {
        std::hint::spin_loop();
    }
    let (ticks, elapsed) = (
        counter::read().wrapping_sub(ticks),
        clock.elapsed().as_nanos(),
    );
    rate(ticks, elapsed)
});

/// The rate of a counter that moved by `ticks` in so many nanoseconds.
fn rate(ticks: u64, nanoseconds: u128) -> Option<u64> {
    let rate = (nanoseconds << SHIFT).checked_div(u128::from(ticks))?;
    u64::try_from(rate).ok().filter(|rate| *rate > 0)
}

/// A clock that was started.
#[derive(Clone, Copy, Debug)]
pub enum Stopwatch {
    /// By the processor's counter.
    Counter {
        /// The counter at the start.
        start: u64,
        /// Nanoseconds for each tick.
        rate: u64,
    },
    /// By the system's clock.
    Clock(Instant),
}

impl Stopwatch {
    /// Starts one. The first in a process takes five milliseconds to compare counter and clock.
    pub fn start() -> Self {
        match *RATE {
            Some(rate) => Self::Counter {
                start: counter::read(),
                rate,
            },
            None => Self::Clock(Instant::now()),
        }
    }

    /// Nanoseconds since the start. By the counter it may differ from the clock by some millionths.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a recording does not last for 500 years"
    )]
    pub fn elapsed(&self) -> u64 {
        match self {
            Self::Counter { start, rate } => {
                let ticks = counter::read().saturating_sub(*start);
                ((u128::from(ticks) * u128::from(*rate)) >> SHIFT) as u64
            }
            Self::Clock(start) => start.elapsed().as_nanos() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_as_the_clock_does() {
        let (stopwatch, clock) = (Stopwatch::start(), Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let nanoseconds = || u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (inner, before) = (stopwatch.elapsed(), nanoseconds());
        let (outer, after) = (stopwatch.elapsed(), nanoseconds());
        // One reading lies between two of the other, up to a hundredth.
        assert!(inner <= before + before / 100, "{inner} {before}");
        assert!(outer + outer / 100 >= before, "{outer} {before}");
        assert!(inner <= outer && outer <= after + after / 100);
    }

    #[test]
    fn a_counter_that_stands_still_is_not_used() {
        assert_eq!(rate(0, 5_000_000), None);
        assert_eq!(rate(5_000_000, 5_000_000), Some(1 << SHIFT));
        assert_eq!(rate(10_000_000, 5_000_000), Some(1 << (SHIFT - 1)));
    }

    #[test]
    fn time_does_not_go_back() {
        let stopwatch = Stopwatch::start();
        let readings: Vec<u64> = std::iter::repeat_with(|| stopwatch.elapsed())
            .take(1000)
            .collect();
        assert!(readings.is_sorted());
    }
}
