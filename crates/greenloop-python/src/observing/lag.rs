//! `Lag`: how long a loop lets new input wait, from one poll to the next, while somebody watches.

use greenloop_core::observe::Histogram;
use greenloop_cpython::GilCell;
use greenloop_os::Stopwatch;

use super::mode::is_watching;

/// The spans between the polls of one loop.
pub struct Lag(GilCell<Option<Box<Spans>>>);

/// What is kept while somebody watches.
struct Spans {
    stopwatch: Stopwatch,
    /// When the last poll ended; none during a poll.
    since: Option<u64>,
    histogram: Histogram,
}

impl Lag {
    /// Nobody has watched.
    pub const fn unknown() -> Self {
        Self(GilCell::new(None))
    }

    /// A poll begins, and the span with it ends.
    #[inline]
    pub fn poll_begins(&self) {
        if is_watching() {
            self.end();
        }
    }

    /// A poll ends, and a span begins.
    #[inline]
    pub fn poll_ends(&self) {
        if is_watching() {
            self.begin();
        }
    }

    /// How often spans of which length occurred.
    pub fn histogram(&self) -> Option<Histogram> {
        self.0.with(|spans| Some(spans.as_ref()?.histogram.clone()))
    }

    #[cold]
    fn begin(&self) {
        self.0.with(|spans| {
            let spans = spans.get_or_insert_with(|| {
                Box::new(Spans {
                    stopwatch: Stopwatch::start(),
                    since: None,
                    histogram: Histogram::new(),
                })
            });
            spans.since = Some(spans.stopwatch.elapsed());
        });
    }

    #[cold]
    fn end(&self) {
        self.0.with(|spans| {
            let Some(spans) = spans else { return };
            if let Some(since) = spans.since.take() {
                let span = spans.stopwatch.elapsed().saturating_sub(since);
                spans.histogram.record(span);
            }
        });
    }
}
