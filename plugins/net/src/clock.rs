//! The time, where some milliseconds do not matter.

use std::io::{self, ErrorKind};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Some moment, by both clocks.
static START: LazyLock<(Instant, Duration)> = LazyLock::new(|| (Instant::now(), ticks()));

/// The time as of the kernel's last tick: some milliseconds late at most, and had for a fraction of what the exact time costs.
pub fn coarse_now() -> Instant {
    let (instant, at) = *START;
    instant + ticks().saturating_sub(at)
}

fn ticks() -> Duration {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    // It counts from the start of the system, and has no more than a second of nanoseconds.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// What is left until the deadline, which is never nothing: then the time is over.
pub(crate) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(coarse_now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_late_by_no_more_than_a_few_ticks() {
        // A thread may lose its processor between two looks.
        let is_near = (0..100).any(|_| {
            let (before, coarse, after) = (Instant::now(), coarse_now(), Instant::now());
            let late = after.saturating_duration_since(coarse);
            late < Duration::from_millis(25) && coarse <= before + Duration::from_millis(25)
        });
        assert!(is_near);
    }
}
