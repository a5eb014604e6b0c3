//! Expiration times that are shorter by chance, so that what was created together does not expire together.

/// Less that share of it; for ever stays for ever.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "no expiration time need be exact to the nanosecond if it is chosen by chance"
)]
pub(crate) fn shortened(time: u64, share: f64) -> u64 {
    if time == u64::MAX || share == 0.0 {
        return time;
    }
    time.saturating_sub((time as f64 * share) as u64)
}

/// From 0 to 1, evenly, the same for the same number: the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
#[expect(clippy::cast_precision_loss, reason = "the 53 bits that a float has")]
pub(crate) fn chance(number: u64) -> f64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_off_and_for_ever_stays() {
        assert_eq!(shortened(1_000, 0.25), 750);
        assert_eq!(shortened(1_000, 0.0), 1_000);
        assert_eq!(shortened(1_000, 1.0), 0);
        assert_eq!(shortened(u64::MAX, 0.5), u64::MAX);
    }

    #[test]
    fn chances_are_spread_evenly() {
        let mut tenths = [0; 10];
        for number in 0..10_000 {
            let tenth = (0..10)
                .rev()
                .find(|tenth| chance(number) * 10.0 >= f64::from(*tenth));
            tenths[usize::try_from(tenth.unwrap()).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|count| (900..1_100).contains(count)),
            "{tenths:?}"
        );
    }
}
