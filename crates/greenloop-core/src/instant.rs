//! A point on the loop's clock.
//!
//! The unit is asyncio's: seconds in an `f64`. `loop.time()` and `loop.call_at()` use it, and a
//! conversion to integers could reorder two deadlines that Python sees as different.

use std::cmp::Ordering;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the loop's clock, in seconds since an arbitrary origin.
///
/// Instants are totally ordered, so they can be the key of a heap. NaN, which Python's
/// `call_later(float("nan"), …)` lets in, equals itself and comes before everything else: every
/// comparison `when >= end_time` in asyncio is false for it, which makes such a timer due at once.
/// Zero and negative zero are the same point.
#[derive(Clone, Copy, Debug)]
pub struct Instant(f64);

impl Instant {
    /// The longest span [`Self::until`] gives: a day, asyncio's `MAXIMUM_SELECT_TIMEOUT`.
    ///
    /// A wait that ends too soon costs one idle turn; a longer one may exceed the limit of a system
    /// call.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

    /// The point `secs` seconds after the clock's origin.
    pub const fn new(secs: f64) -> Self {
        Self(secs)
    }

    /// Seconds since the clock's origin.
    pub const fn as_secs(self) -> f64 {
        self.0
    }

    /// A number that orders as the instant does, for comparing many.
    ///
    /// The bits of a float, read as an integer, order as the float among the positive ones; the
    /// negative ones are mirrored here.
    #[inline]
    pub(crate) const fn key(self) -> i64 {
        if self.0.is_nan() {
            return i64::MIN;
        }
        // Adding zero turns negative zero into zero.
        Self::mirrored(i64::from_ne_bytes((self.0 + 0.0).to_ne_bytes()))
    }

    /// The instant with this key.
    #[inline]
    pub(crate) const fn from_key(key: i64) -> Self {
        if key == i64::MIN {
            return Self(f64::NAN);
        }
        Self(f64::from_ne_bytes(Self::mirrored(key).to_ne_bytes()))
    }

    /// Turns the order of negative numbers around; twice is nothing.
    const fn mirrored(bits: i64) -> i64 {
        if bits < 0 { bits ^ i64::MAX } else { bits }
    }

    /// How long to wait, beginning at `self`, so as not to be back before `deadline`.
    ///
    /// Rounded up to whole nanoseconds; zero if the deadline has passed or is NaN; at most
    /// [`Self::LONGEST_WAIT`].
    pub fn until(self, deadline: Self) -> Duration {
        let nanoseconds = ((deadline.0 - self.0) * 1e9).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and turns NaN and what is negative into zero, as wanted"
        )]
        let span = Duration::from_nanos(nanoseconds as u64);
        span.min(Self::LONGEST_WAIT)
    }
}

/// The point that much later.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0 + span.as_secs_f64())
    }
}

/// The span since an earlier point, to the nearest nanosecond; zero if it is a later one, or either
/// is NaN.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        let span = (self.0 - earlier.0).max(0.0);
        Duration::try_from_secs_f64(span).unwrap_or(Duration::MAX)
    }
}

impl Ord for Instant {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .partial_cmp(&other.0)
            // At least one is NaN. `true` is greater than `false`, hence the crossed operands.
            .unwrap_or_else(|| other.0.is_nan().cmp(&self.0.is_nan()))
    }
}

impl PartialOrd for Instant {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Instant {}

impl PartialEq for Instant {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_totally_ordered_with_nan_first() {
        let ascending = [
            f64::NAN,
            f64::NEG_INFINITY,
            -1.0,
            0.0,
            f64::MIN_POSITIVE,
            1.0,
            f64::INFINITY,
        ];
        for (i, &left) in ascending.iter().enumerate() {
            for (j, &right) in ascending.iter().enumerate() {
                let order = Instant::new(left).cmp(&Instant::new(right));
                assert_eq!(order, i.cmp(&j), "{left} against {right}");
            }
        }
    }

    #[test]
    fn keys_order_as_instants_do_and_lead_back_to_them() {
        let instants = [
            f64::NAN,
            -f64::NAN,
            f64::NEG_INFINITY,
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            5e-324,
            1.0,
            1.0 + f64::EPSILON,
            f64::MAX,
            f64::INFINITY,
        ]
        .map(Instant::new);
        for left in instants {
            assert_eq!(Instant::from_key(left.key()), left);
            for right in instants {
                assert_eq!(
                    left.key().cmp(&right.key()),
                    left.cmp(&right),
                    "{left:?}, {right:?}"
                );
            }
        }
    }

    #[test]
    fn spans_are_added_and_measured() {
        let start = Instant::new(1.5);
        let later = start + Duration::from_millis(250);
        assert_eq!(later, Instant::new(1.75));
        assert_eq!(later - start, Duration::from_millis(250));
        assert_eq!(start - later, Duration::ZERO);
        assert_eq!(start - Instant::new(f64::NAN), Duration::ZERO);
        assert_eq!(Instant::new(f64::INFINITY) - start, Duration::MAX);
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(Instant::new(0.0), Instant::new(-0.0));
    }

    #[test]
    fn a_span_is_rounded_up_and_bounded() {
        let check = |now: f64, deadline: f64, expected: Duration| {
            let span = Instant::new(now).until(Instant::new(deadline));
            assert_eq!(span, expected, "from {now} until {deadline}");
        };
        check(1.0, 1.5, Duration::from_millis(500));
        check(0.0, 1.1e-9, Duration::from_nanos(2));
        check(0.0, 1e-12, Duration::from_nanos(1));
        check(1.0, 1.0, Duration::ZERO);
        check(2.0, 1.0, Duration::ZERO);
        check(0.0, f64::NAN, Duration::ZERO);
        check(0.0, f64::NEG_INFINITY, Duration::ZERO);
        check(0.0, f64::INFINITY, Instant::LONGEST_WAIT);
        check(0.0, 1e300, Instant::LONGEST_WAIT);
    }
}
