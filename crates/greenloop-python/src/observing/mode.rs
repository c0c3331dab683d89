//! Who observes: a recording, a watch, both or, nearly always, nobody.
//!
//! One byte says it, since it is read at places that run for each job.

use std::sync::atomic::{AtomicU8, Ordering};

/// Every event is written down.
pub const RECORDS: u8 = 1;
/// Tasks say when they step, and locks who holds them.
pub const WATCHES: u8 = 2;

/// Written with the GIL held only.
static MODE: AtomicU8 = AtomicU8::new(0);

/// Whether somebody records, so that events are to be told.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "it is one load, at places that run for each job"
)]
pub fn is_recording() -> bool {
    MODE.load(Ordering::Relaxed) & RECORDS != 0
}

/// Whether somebody watches.
#[inline]
pub fn is_watching() -> bool {
    MODE.load(Ordering::Relaxed) & WATCHES != 0
}

/// Whether anybody observes, in either way.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "it is one load, at places that run for each job"
)]
pub fn is_observed() -> bool {
    MODE.load(Ordering::Relaxed) != 0
}

/// Has somebody observe in this way, or nobody any more.
pub fn set(way: u8, on: bool) {
    if on {
        MODE.fetch_or(way, Ordering::Relaxed);
    } else {
        MODE.fetch_and(!way, Ordering::Relaxed);
    }
}
