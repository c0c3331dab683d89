//! How often spans of which length occurred, in buckets of powers of two.

/// How many buckets there are: one for each length that 64 bits have.
const BUCKETS: usize = 65;

/// Counts spans in nanoseconds. Bucket 0 is that of no time at all; bucket `n` has the spans from
/// 2ⁿ⁻¹ up to, but without, 2ⁿ nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    longest: u64,
}

impl Histogram {
    /// A histogram of nothing.
    pub const fn new() -> Self {
        Self {
            buckets: [0; BUCKETS],
            longest: 0,
        }
    }

    /// Counts a span, which stands for so many.
    pub fn record(&mut self, nanoseconds: u64, weight: u64) {
        let bucket = u64::BITS - nanoseconds.leading_zeros();
        self.buckets[bucket as usize] += weight;
        self.longest = self.longest.max(nanoseconds);
    }

    /// How many spans each bucket has.
    pub const fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// How many spans there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The longest span.
    pub const fn longest(&self) -> u64 {
        self.longest
    }

    /// A bound that this share of the spans does not exceed, by less than twice the least one: the
    /// end of a bucket, or the longest span. Zero without spans.
    pub fn quantile(&self, share: f64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count needs no more digits, and `as` saturates"
        )]
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut counted = 0;
        let mut ends = (0..u64::BITS).map(|bits| (1 << bits) - 1).chain([u64::MAX]);
        let end = ends.by_ref().zip(self.buckets).find_map(|(end, count)| {
            counted += count;
            (counted >= wanted).then_some(end)
        });
        end.unwrap_or(u64::MAX).min(self.longest)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_counted_in_the_bucket_of_its_power_of_two() {
        let check = |nanoseconds: u64, bucket: usize| {
            let mut histogram = Histogram::new();
            histogram.record(nanoseconds, 1);
            assert_eq!(histogram.buckets()[bucket], 1, "{nanoseconds}");
            assert_eq!((histogram.count(), histogram.longest()), (1, nanoseconds));
        };
        check(0, 0);
        check(1, 1);
        check(2, 2);
        check(3, 2);
        check(4, 3);
        check(1023, 10);
        check(1024, 11);
        check(u64::MAX, 64);
    }

    #[test]
    fn a_span_that_stands_for_several_is_counted_as_often() {
        let mut histogram = Histogram::new();
        histogram.record(3, 15);
        histogram.record(1000, 1);
        assert_eq!((histogram.count(), histogram.longest()), (16, 1000));
        assert_eq!(histogram.quantile(0.9), 3);
    }

    #[test]
    fn a_quantile_is_the_end_of_a_bucket_and_never_more_than_the_longest() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0);
        for nanoseconds in [0, 5, 6, 7, 1000] {
            histogram.record(nanoseconds, 1);
        }
        let check = |share, expected| assert_eq!(histogram.quantile(share), expected, "{share}");
        check(0.0, 0);
        check(0.2, 0);
        check(0.3, 7);
        check(0.8, 7);
        check(0.9, 1000);
        check(1.0, 1000);
    }
}
