//! `Lag`: how long a loop lets new input wait, from one poll to the next, while somebody watches.
//!
//! A span is timed by two readings of a clock, which cost a program that sleeps for no time a
//! twentieth of its turn. So spans after a poll that may have waited are all timed, and of those
//! between two polls that only look one in [`TIMED_ONE_IN`], which then counts for all. A span of
//! these that is long enough to matter is a stall, which the watchdog sees anyway.

use std::cell::Cell;

use greenloop_core::observe::Histogram;
use greenloop_cpython::GilCell;
use greenloop_os::Stopwatch;

use super::mode::is_watching;

/// Of so many spans after polls that do not wait, one is timed.
const TIMED_ONE_IN: u64 = 64;

/// The spans between the polls of one loop.
pub struct Lag {
    /// For how many spans the one counts that is being timed; 0 while none is.
    weight: Cell<u64>,
    /// How many spans after polls that do not wait are passed over before the next one is timed.
    passed_over: Cell<u64>,
    spans: GilCell<Option<Box<Spans>>>,
}

/// What is kept while somebody watches.
struct Spans {
    stopwatch: Stopwatch,
    /// When the span began that is being timed.
    since: u64,
    histogram: Histogram,
}

impl Lag {
    /// Nobody has watched.
    pub const fn unknown() -> Self {
        Self {
            weight: Cell::new(0),
            passed_over: Cell::new(0),
            spans: GilCell::new(None),
        }
    }

    /// A poll begins, and the span with it ends.
    #[inline]
    pub fn poll_begins(&self) {
        let weight = self.weight.get();
        if weight != 0 {
            self.end(weight);
        }
    }

    /// A poll ends, which may have waited or has only looked, and a span begins.
    #[inline]
    pub fn poll_ends(&self, may_have_waited: bool) {
        if !is_watching() {
            return;
        }
        let passed_over = self.passed_over.get();
        if may_have_waited {
            self.begin(1);
        } else if passed_over == 0 {
            self.passed_over.set(TIMED_ONE_IN - 1);
            self.begin(TIMED_ONE_IN);
        } else {
            self.passed_over.set(passed_over - 1);
        }
    }

    /// How often spans of which length occurred.
    pub fn histogram(&self) -> Option<Histogram> {
        self.spans
            .with(|spans| Some(spans.as_ref()?.histogram.clone()))
    }

    #[cold]
    fn begin(&self, weight: u64) {
        self.weight.set(weight);
        self.spans.with(|spans| {
            let spans = spans.get_or_insert_with(|| {
                Box::new(Spans {
                    stopwatch: Stopwatch::start(),
                    since: 0,
                    histogram: Histogram::new(),
                })
            });
            spans.since = spans.stopwatch.elapsed();
        });
    }

    #[cold]
    fn end(&self, weight: u64) {
        self.weight.set(0);
        self.spans.with(|spans| {
            if let Some(spans) = spans {
                let span = spans.stopwatch.elapsed().saturating_sub(spans.since);
                spans.histogram.record(span, weight);
            }
        });
    }
}
