//! When a manifest that was refused for a cause outside of its text is tried again, though none of its files has changed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::jitter::{chance, shortened};

/// The pause before the first try, and twice as long before each that follows.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// By which share a pause may be shorter, so that many hosts do not ask one server at once.
const JITTER: f64 = 0.25;

/// The next try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pause: Duration,
    due: Instant,
}

impl Retry {
    /// After a refusal that was news.
    pub(super) fn first() -> Self {
        Self::after(FIRST)
    }

    /// The same from the beginning, and no later than it would have been.
    pub(super) fn anew(self) -> Self {
        let first = Self::first();
        Self {
            due: first.due.min(self.due),
            ..first
        }
    }

    /// After a try that was refused as well.
    pub(super) fn next(self) -> Self {
        Self::after((self.pause * 2).min(LONGEST))
    }

    fn after(pause: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let seed = now.map_or(0, nanoseconds);
        let shorter = shortened(nanoseconds(pause), JITTER * chance(seed));
        Self {
            pause,
            due: Instant::now() + Duration::from_nanos(shorter),
        }
    }

    /// How long it is until then; nothing if it is due.
    pub(super) fn within(self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Whether it is time.
    pub(super) fn is_due(self) -> bool {
        self.within().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_a_quarter_shorter_at_most() {
        let mut retry = Retry::first();
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(retry.pause, pause);
            let within = retry.within();
            assert!(within <= pause, "{within:?}");
            // The test itself takes a while.
            assert!(
                within + Duration::from_millis(300) > pause * 3 / 4,
                "{within:?}"
            );
            retry = retry.next();
        }
    }

    #[test]
    fn a_save_begins_anew_and_puts_nothing_off() {
        let mut retry = Retry::after(LONGEST);
        let first = retry.anew();
        assert!(first.within() <= FIRST);
        assert_eq!(first.next().pause, FIRST * 2);
        retry.due = Instant::now();
        assert!(retry.anew().is_due());
    }
}
