//! How long things took, as a histogram.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the buckets, in seconds; the last one has none.
const BOUNDS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Counts by duration. Each number is exact; numbers read while one is added may not add up.
#[derive(Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    /// The upper bound of each bucket, in seconds, and how many are in this one alone.
    pub(crate) buckets: Vec<(f64, u64)>,
    /// In seconds.
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

impl Durations {
    pub(crate) fn observe(&self, seconds: f64) {
        let at = BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration is not negative, and what is too long for the sum is cut by the cast"
        )]
        let nanoseconds = (seconds * 1e9) as u64;
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Histogram {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|of| of.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum of months is exact to the microsecond"
        )]
        let sum = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        Histogram {
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
            sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_bucket_that_ends_at_or_after_it() {
        let durations = Durations::default();
        for seconds in [0.0, 0.001, 0.0011, 60.0, 3600.0] {
            durations.observe(seconds);
        }
        let read = durations.read();
        let full: Vec<_> = read
            .buckets
            .iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        let expected = [(0.001, 2), (0.0025, 1), (60.0, 1), (f64::INFINITY, 1)];
        assert_eq!(full, expected.iter().collect::<Vec<_>>());
        assert_eq!((read.count, read.sum), (5, 3660.0021));
    }
}
