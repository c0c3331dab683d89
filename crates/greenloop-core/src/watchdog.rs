//! The decision that one step of a loop takes too long, made while the step goes on.
//!
//! A thread beside the loop looks at it from time to time, and hands what it sees to a
//! [`Watchdog`]: the time, the loop's progress, and whether the loop waits on purpose. A step is a
//! job, with all that happens until the next one begins.
//!
//! ```text
//!              1 a step                      2 it lasts as long as the threshold
//!   ┌───────┐ ─────────────► ┌────────────┐ ──────────────────► ┌───────────┐ ─┐ 3 it goes on
//!   │ idle  │                │ one step   │        Begin        │ an episode│  │   Continue
//!   └───────┘ ◄───────────── └────────────┘                     └───────────┘ ◄┘
//!       ▲     4 the loop waits ▲     │ ▲   4 another step, End        │
//!       │                      └─────┘ └──────────────────────────────┤
//!       │                      4 another step                         │
//!       └─────────────────────────────────────────────────────────────┘
//!                              4 the loop waits, End
//! ```
//! All transitions are [`Watchdog::look`]. Each episode begins once and ends once.
//!
//! A step is known from the first look that meets it, which is at most one interval after its
//! beginning. So an episode's length is exact to within an interval, and no step is ever taken for
//! longer than it was: one that is shorter than the threshold begins no episode, and one that is
//! longer than the threshold and an interval begins one before it ends, if the looks are on time.
//!
//! # A clock that jumps, a process that was stopped
//!
//! Between two looks that are far apart nobody knows what the clock did, and whether the process
//! ran at all: it may have been stopped, or the machine asleep. So the threshold is compared with
//! a count of its own, in which the time between two looks counts for two intervals at most, never
//! for more than half of the threshold, and for nothing if the clock went back. Late looks make an
//! episode begin late, and no single one makes it begin. The length of an episode is what the clock
//! says.

use std::time::Duration;

use crate::Instant;

/// The share of the threshold that passes between two looks: a quarter.
const LOOKS_PER_THRESHOLD: u32 = 4;

/// The longest time between two looks, and so the longest time by which a step is noticed late.
/// A thread that is woken fifty times per second takes less than a thousandth of a processor.
const LONGEST_INTERVAL: Duration = Duration::from_millis(20);

/// The shortest interval, whatever the threshold.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The least threshold. One that is smaller would be the time of a look or two.
const LEAST_THRESHOLD: Duration = Duration::from_millis(1);

/// What a look at the loop has seen.
///
/// The three must belong together, or a step could be taken for longer than it was. Since the loop
/// goes on meanwhile, the one that looks reads `idle` and `progress`, then the clock, and then both
/// again: the look is valid if they have not changed. If they have, the loop makes progress, and
/// the look may say that it is idle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Look {
    /// When it was.
    pub now: Instant,
    /// A number that is another one for each step: it grows whenever a job begins, and also when a
    /// wait of the loop ends, so that the time before a wait is not taken for the time after it.
    pub progress: u64,
    /// Whether the loop polls, sleeps, or does not run: then nothing takes too long.
    pub idle: bool,
}

/// What a look means for the episode that it is part of: one step that takes too long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Episode {
    /// The step has lasted as long as the threshold, and goes on.
    Begin {
        /// The first look that has met the step.
        since: Instant,
    },
    /// The step still goes on.
    Continue,
    /// The step is over.
    End {
        /// From the first look that has met the step to the first one that has not.
        length: Duration,
    },
}

/// Notices steps of a loop that take longer than a threshold. One for each loop.
#[derive(Clone, Debug)]
pub struct Watchdog {
    threshold: Duration,
    /// The step that the last look has met; none if the loop was idle.
    step: Option<Step>,
}

/// A step that goes on.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The loop's number for it.
    progress: u64,
    /// The first look that has met it.
    since: Instant,
    /// The last one.
    last: Instant,
    /// The time between the looks, without what is doubtful: the count that is compared with the
    /// threshold.
    counted: Duration,
    /// The time between the looks as the clock tells it, without its steps back.
    length: Duration,
    /// Set by `Begin`, and never cleared: the step is an episode.
    reported: bool,
}

impl Watchdog {
    /// One that has not looked yet. A threshold below a millisecond counts as one.
    pub fn new(threshold: Duration) -> Self {
        Self {
            threshold: threshold.max(LEAST_THRESHOLD),
            step: None,
        }
    }

    /// How long a step may take.
    pub const fn threshold(&self) -> Duration {
        self.threshold
    }

    /// Changes how long a step may take. It holds from the next look on, also for the step that is
    /// going on; an episode that has begun lasts until its step ends. Below a millisecond it counts
    /// as one.
    pub fn set_threshold(&mut self, threshold: Duration) {
        self.threshold = threshold.max(LEAST_THRESHOLD);
    }

    /// The time after which a step is noticed at the latest: a quarter of the threshold, and
    /// between 1 and 20 milliseconds.
    pub fn interval(&self) -> Duration {
        (self.threshold / LOOKS_PER_THRESHOLD).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    /// How long to wait before the next look: an interval, or less if the step that is going on
    /// reaches the threshold before. Looks that keep to it find each episode no later than the
    /// threshold and one interval after the beginning of its step.
    pub fn until_next_look(&self) -> Duration {
        let interval = self.interval();
        match self.step {
            // A step that has reached a threshold that was lowered since is due at once.
            Some(step) if !step.reported => interval
                .min(self.most_between_looks())
                .min(self.threshold.saturating_sub(step.counted)),
            _ => interval,
        }
    }

    /// All transitions: takes what a look has seen, and says what it means.
    pub fn look(&mut self, look: Look) -> Option<Episode> {
        let most = self.most_between_looks();
        match &mut self.step {
            Some(step) if !look.idle && look.progress == step.progress => {
                step.goes_on(look.now, most);
                if step.reported {
                    return Some(Episode::Continue);
                }
                step.reported = step.counted >= self.threshold;
                let since = step.since;
                step.reported.then_some(Episode::Begin { since })
            }
            _ => {
                let end = self.finish(look.now);
                self.step = (!look.idle).then(|| Step::new(look));
                end
            }
        }
    }

    /// For how much the time between two looks counts at most.
    fn most_between_looks(&self) -> Duration {
        (2 * self.interval()).min(self.threshold / 2)
    }

    /// Transition 4, for the one that will not look any more: ends the episode if there is one.
    pub fn finish(&mut self, now: Instant) -> Option<Episode> {
        let step = self.step.take()?;
        let length = step.length.saturating_add(now - step.last);
        step.reported.then_some(Episode::End { length })
    }
}

impl Step {
    /// The step that `look` is the first one to meet.
    const fn new(look: Look) -> Self {
        Self {
            progress: look.progress,
            since: look.now,
            last: look.now,
            counted: Duration::ZERO,
            length: Duration::ZERO,
            reported: false,
        }
    }

    /// Another look has met it. The time since the last one counts for `most` at most.
    fn goes_on(&mut self, now: Instant, most: Duration) {
        // Zero if the clock went back.
        let passed = now - self.last;
        self.last = now;
        self.length = self.length.saturating_add(passed);
        self.counted = self.counted.saturating_add(passed.min(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn at(count: u64) -> Instant {
        Instant::new(0.0) + milliseconds(count)
    }

    /// A look at a loop that runs the step `progress`, or is idle with zero.
    fn look(watchdog: &mut Watchdog, now: u64, progress: u64) -> Option<Episode> {
        watchdog.look(Look {
            now: at(now),
            progress,
            idle: progress == 0,
        })
    }

    #[test]
    fn an_episode_begins_once_goes_on_and_ends_with_its_length() {
        let mut watchdog = Watchdog::new(milliseconds(40));
        assert_eq!(look(&mut watchdog, 3, 1), None);
        for now in [13, 23, 33] {
            assert_eq!(look(&mut watchdog, now, 1), None);
        }
        let since = at(3);
        let begin = Episode::Begin { since };
        assert_eq!(look(&mut watchdog, 43, 1), Some(begin));
        assert_eq!(look(&mut watchdog, 53, 1), Some(Episode::Continue));
        let length = milliseconds(60);
        assert_eq!(look(&mut watchdog, 63, 2), Some(Episode::End { length }));
        assert_eq!(look(&mut watchdog, 73, 2), None);
        assert_eq!(look(&mut watchdog, 83, 0), None);
        assert_eq!(watchdog.finish(at(90)), None);
    }

    #[test]
    fn a_loop_that_waits_or_makes_progress_is_in_no_episode() {
        let mut watchdog = Watchdog::new(milliseconds(40));
        for now in 0..100 {
            assert_eq!(look(&mut watchdog, 10 * now, now % 3), None);
        }
        for now in 100..200 {
            assert_eq!(look(&mut watchdog, 10 * now, 0), None);
        }
    }

    #[test]
    fn one_who_stops_looking_gets_the_end() {
        let mut watchdog = Watchdog::new(milliseconds(4));
        for now in 0..=4 {
            look(&mut watchdog, now, 1);
        }
        let length = milliseconds(7);
        assert_eq!(watchdog.finish(at(7)), Some(Episode::End { length }));
        assert_eq!(watchdog.finish(at(7)), None);
    }

    #[test]
    fn the_interval_is_a_quarter_within_bounds() {
        let check = |threshold, expected| {
            assert_eq!(Watchdog::new(threshold).interval(), expected);
        };
        check(Duration::ZERO, milliseconds(1));
        check(milliseconds(1), milliseconds(1));
        check(milliseconds(40), milliseconds(10));
        check(milliseconds(100), milliseconds(20));
        check(Duration::MAX, milliseconds(20));
    }

    #[test]
    fn the_next_look_is_when_the_threshold_is_reached() {
        let mut watchdog = Watchdog::new(milliseconds(50));
        assert_eq!(watchdog.until_next_look(), Duration::from_micros(12_500));
        look(&mut watchdog, 0, 1);
        for now in [10, 20, 30, 45] {
            look(&mut watchdog, now, 1);
        }
        assert_eq!(watchdog.until_next_look(), milliseconds(5));
        watchdog.set_threshold(milliseconds(40));
        assert_eq!(watchdog.until_next_look(), Duration::ZERO);
        let since = at(0);
        let begin = Episode::Begin { since };
        assert_eq!(look(&mut watchdog, 46, 1), Some(begin));
        assert_eq!(watchdog.until_next_look(), milliseconds(10));
    }

    #[test]
    fn a_raised_threshold_holds_for_the_step_that_goes_on_but_ends_no_episode() {
        let mut watchdog = Watchdog::new(milliseconds(4));
        look(&mut watchdog, 0, 1);
        look(&mut watchdog, 2, 1);
        watchdog.set_threshold(milliseconds(8));
        assert_eq!(look(&mut watchdog, 5, 1), None);
        let since = at(0);
        let begin = Episode::Begin { since };
        assert_eq!(look(&mut watchdog, 9, 1), Some(begin));
        watchdog.set_threshold(milliseconds(1000));
        assert_eq!(look(&mut watchdog, 10, 1), Some(Episode::Continue));
        let length = milliseconds(11);
        assert_eq!(look(&mut watchdog, 11, 0), Some(Episode::End { length }));
    }

    #[test]
    fn no_single_jump_of_the_clock_begins_an_episode() {
        let mut watchdog = Watchdog::new(milliseconds(40));
        look(&mut watchdog, 1_000_000, 1);
        assert_eq!(look(&mut watchdog, 9_000_000, 1), None);
        assert_eq!(look(&mut watchdog, 2_000_000, 1), None);
        assert_eq!(look(&mut watchdog, 2_000_010, 1), None);
        assert!(look(&mut watchdog, 2_000_020, 1).is_some());
        // The clock has gone forward by 8000 s and by 30 ms, and back once.
        let length = milliseconds(8_000_030);
        assert_eq!(
            look(&mut watchdog, 2_000_030, 0),
            Some(Episode::End { length })
        );
    }

    #[test]
    fn a_clock_without_numbers_begins_nothing() {
        let mut watchdog = Watchdog::new(milliseconds(1));
        for _ in 0..10 {
            let seen = watchdog.look(Look {
                now: Instant::new(f64::NAN),
                progress: 1,
                idle: false,
            });
            assert_eq!(seen, None);
        }
    }
}
