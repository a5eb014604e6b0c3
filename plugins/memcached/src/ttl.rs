//! Times as memcached has them: whole seconds, and beyond 30 days since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000_000;

/// What is longer is taken for a time since 1970, in seconds.
const RELATIVE: u64 = 30 * 24 * 60 * 60;

/// A time that begins now. At least a second: 0 would be for ever. What cannot be written is for ever too.
pub(crate) fn ttl(seconds: u64) -> u32 {
    // Of the system, whatever the host's clock is: the servers have theirs.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    written(seconds, now.unwrap_or_default().as_secs())
}

fn written(seconds: u64, now: u64) -> u32 {
    let written = match seconds {
        0..=RELATIVE => seconds.max(1),
        _ => now.saturating_add(seconds),
    };
    // The server reads it as a number with a sign.
    i32::try_from(written).map_or(0, i32::cast_unsigned)
}

/// The seconds until `until`, both in nanoseconds since 1970, or one more: the server's seconds end before ours.
pub(crate) fn until(until: u64, now: u64) -> u64 {
    until.saturating_sub(now).div_ceil(SECOND) + 1
}

/// For a lease, and how long that is at least. What the server keeps for a number of its seconds may pass up to one of
/// ours early, and somewhat more where it is late to look at its clock. So leases have three of them at least: then those
/// of up to two seconds last. Longer ones pass up to a second early, and never late.
pub(crate) fn lease(lease: Duration) -> (u32, Duration) {
    let seconds = lease.as_millis().div_ceil(1000).max(3);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    (ttl(seconds), lease.min(Duration::from_secs(seconds - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn more_than_thirty_days_are_a_time_since_1970() {
        assert_eq!(written(0, NOW), 1);
        assert_eq!(written(RELATIVE, NOW), 2_592_000);
        assert_eq!(written(RELATIVE + 1, NOW), 1_700_000_000 + 2_592_001);
        assert_eq!(written(u64::MAX, NOW), 0);
        assert_eq!(written(1_000_000_000, NOW), 0);
    }

    #[test]
    fn nothing_is_gone_before_its_time() {
        let now = NOW * SECOND;
        assert_eq!(until(now + 10 * SECOND, now), 11);
        assert_eq!(until(now + 10 * SECOND + 1, now), 12);
        assert_eq!(until(now - 1, now), 1);
    }

    #[test]
    fn leases_last_what_they_say() {
        for (milliseconds, seconds, least) in [
            (1, 3, 1),
            (1000, 3, 1000),
            (2000, 3, 2000),
            (2500, 3, 2000),
            (30_000, 30, 29_000),
            (30_001, 31, 30_000),
        ] {
            let (ttl, lasts) = lease(Duration::from_millis(milliseconds));
            assert_eq!(
                (ttl, lasts),
                (seconds, Duration::from_millis(least)),
                "{milliseconds}"
            );
        }
    }
}
