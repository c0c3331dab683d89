//! The clock of the loop, which is Python's `time.monotonic()` to the last bit.
//!
//! Programs compare `loop.time()` with `time.monotonic()` (aiohttp does), so the two must not
//! only read the same clock but convert it in the same way. Two conversions that each are right
//! to a nanosecond would let a timer fire at a `time.monotonic()` before its deadline.
//!
//! The calls are the C library's. `rustix` looks for the kernel's page of such functions (the vDSO)
//! itself, which valgrind removes from the process: no program would run under it.

use std::mem::MaybeUninit;
use std::sync::LazyLock;

use greenloop_core::Instant;
use libc::{CLOCK_MONOTONIC, c_int, clockid_t, timespec};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// The current time of `CLOCK_MONOTONIC`, as `time.monotonic()` gives it.
///
/// The clock begins at an arbitrary point, never goes back, and stands still while the machine
/// is suspended (`clock_gettime(2)`).
#[inline]
pub fn monotonic() -> Instant {
    Instant::new(seconds(ask(libc::clock_gettime)))
}

/// The resolution of that clock in seconds: `time.get_clock_info("monotonic").resolution`.
///
/// It does not change while the system runs, so the system is asked once: the loop wants it
/// whenever it looks for timers that are due.
#[inline]
pub fn resolution() -> f64 {
    static RESOLUTION: LazyLock<f64> = LazyLock::new(|| seconds(ask(libc::clock_getres)));
    *RESOLUTION
}

/// The answer of `question` about the clock.
#[inline]
fn ask(question: unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int) -> timespec {
    let mut answer = MaybeUninit::uninit();
    // SAFETY: both questions write a `timespec` where they are told to. They fail for clocks that
    // do not exist, which this one does on every system (`clock_gettime(2)`).
    unsafe {
        let outcome = question(CLOCK_MONOTONIC, answer.as_mut_ptr());
        debug_assert_eq!(outcome, 0);
        answer.assume_init()
    }
}

/// The seconds in `time`, rounded as CPython's `PyTime_AsSecondsDouble` rounds them.
///
/// Whole seconds are converted without passing through nanoseconds, of which an `f64` holds
/// exactly no more than 104 days.
#[expect(
    clippy::cast_precision_loss,
    reason = "this is the rounding that is to be reproduced"
)]
fn seconds(time: timespec) -> f64 {
    let whole = time.tv_sec;
    #[allow(
        clippy::useless_conversion,
        reason = "the field has another type on 32-bit platforms"
    )]
    let nanoseconds = i64::from(time.tv_nsec);
    if nanoseconds == 0 {
        whole as f64
    } else {
        (whole * NANOSECONDS_PER_SECOND + nanoseconds) as f64 / NANOSECONDS_PER_SECOND as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let readings: Vec<Instant> = std::iter::repeat_with(monotonic).take(1000).collect();
        assert!(readings.is_sorted());
        assert!(readings[0].as_secs() > 0.0);
    }

    #[test]
    fn the_resolution_is_that_of_a_high_resolution_timer() {
        assert!((resolution() - 1e-9).abs() < f64::EPSILON);
    }

    /// The expected values are CPython's own: `_testcapi.PyTime_AsSecondsDouble(nanoseconds)`.
    #[test]
    fn seconds_are_rounded_as_cpython_rounds_them() {
        let check = |tv_sec: i64, tv_nsec: i64, expected: f64| {
            let actual = seconds(timespec { tv_sec, tv_nsec });
            assert_eq!(
                actual.to_bits(),
                expected.to_bits(),
                "{tv_sec} s {tv_nsec} ns"
            );
        };
        check(0, 0, 0.0);
        check(0, 1, 1e-9);
        check(1, 500_000_000, 1.5);
        // More nanoseconds than an `f64` holds exactly.
        check(10_000_000, 1, 10_000_000.0);
        check(
            12_345_678,
            987_654_321,
            f64::from_bits(0x4167_8c29_df9a_dd3c),
        );
        // By way of nanoseconds this whole number would come out less than whole.
        check(4_698_091_149, 0, 4_698_091_149.0);
    }
}
