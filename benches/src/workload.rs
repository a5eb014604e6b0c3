//! What everybody is asked for: the same keys, in the same order.

use std::sync::Arc;

/// How many keys there are.
pub(crate) const KEYS: usize = 10_000;
/// Room for all of them and as many again, so that nobody evicts by an uneven spread over shards.
pub(crate) const CAPACITY: usize = 2 * KEYS;
/// Longer than any run: nothing expires, but everybody has to look.
pub(crate) const TTL: std::time::Duration = std::time::Duration::from_hours(1);

const VALUE_LENGTH: usize = 1024;

/// A value of 1 KiB.
pub(crate) type Blob = Arc<[u8]>;

/// A new value.
pub(crate) fn blob() -> Blob {
    Arc::from([7; VALUE_LENGTH])
}

/// Different keys of 30 bytes.
pub(crate) fn keys(count: usize) -> Vec<String> {
    let mut random = Random::new(1);
    (0..count)
        .map(|n| format!("article:{n:08}:{:013x}", random.next() >> 12))
        .inspect(|key| assert_eq!(key.len(), 30))
        .collect()
}

/// Numbers below `count`, the n-th most frequent of which has a share in proportion to `1 / n^exponent`. Which number
/// is frequent is the same for every seed.
pub(crate) fn zipf(count: usize, exponent: f64, length: usize, seed: u64) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..u32::try_from(count).expect("few keys")).collect();
    let mut shuffle = Random::new(2);
    for at in (1..count).rev() {
        numbers.swap(at, shuffle.below(at + 1));
    }
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += weight(rank, exponent);
            sum
        })
        .collect();
    let mut random = Random::new(seed);
    (0..length)
        .map(|_| {
            let point = random.fraction() * sum;
            let rank = sums.partition_point(|sum| *sum <= point);
            numbers[rank.min(count - 1)]
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
fn weight(rank: usize, exponent: f64) -> f64 {
    (rank as f64).powf(-exponent)
}

/// Repeatable random numbers: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is small.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below `limit`")]
        let number = ((u128::from(self.next()) * limit as u128) >> 64) as usize;
        number
    }

    /// A number from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
