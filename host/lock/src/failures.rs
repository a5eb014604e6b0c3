//! The keys whose creation has failed lately.

use crate::clock::Clock;
use std::collections::HashMap;
use std::time::Duration;

/// More are not remembered at once: then the one that is over first makes room. (Miri fills it too.)
const MOST: usize = if cfg!(miri) { 16 } else { 4096 };

/// Keys that need not be tried for a while, by those who have something to serve instead; each with the steady time at
/// which that ends.
#[derive(Default)]
pub(crate) struct Failures(HashMap<Box<str>, u64>);

/// When a failed creation is tried again, by callers that can be served a stale value instead.
#[derive(Clone, Copy, Debug)]
pub struct Retry<'a> {
    /// So long after the failure.
    pub after: Duration,
    /// By this clock's steady time.
    pub clock: &'a Clock,
}

impl Failures {
    pub(crate) fn note(&mut self, key: &str, retry: Retry<'_>) {
        let now = retry.clock.steady();
        let after = u64::try_from(retry.after.as_nanos()).unwrap_or(u64::MAX);
        if self.0.len() >= MOST && !self.0.contains_key(key) {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() >= MOST && !self.0.contains_key(key) {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(key) = first.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        self.0.insert(key.into(), now.saturating_add(after));
    }

    /// Whether it failed and need not be tried yet.
    pub(crate) fn is_recent(&mut self, key: &str, clock: &Clock) -> bool {
        let Some(until) = self.0.get(key) else {
            return false;
        };
        let recent = clock.steady() < *until;
        if !recent {
            self.0.remove(key);
        }
        recent
    }

    pub(crate) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_recent_until_its_time_has_passed() {
        let (clock, hand) = Clock::manual(1_000);
        let retry = Retry {
            after: Duration::from_nanos(10),
            clock: &clock,
        };
        let mut failures = Failures::default();
        failures.note("a", retry);
        hand.advance(Duration::from_nanos(9));
        assert!(failures.is_recent("a", &clock));
        assert!(!failures.is_recent("b", &clock));
        hand.advance(Duration::from_nanos(1));
        assert!(!failures.is_recent("a", &clock));
        assert!(failures.0.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_makes_no_failure_more_or_less_recent() {
        let (clock, hand) = Clock::manual(1_000);
        let retry = Retry {
            after: Duration::from_nanos(10),
            clock: &clock,
        };
        let mut failures = Failures::default();
        failures.note("a", retry);
        hand.set(2_000);
        assert!(failures.is_recent("a", &clock));
        hand.set(1);
        hand.advance(Duration::from_nanos(10));
        assert!(!failures.is_recent("a", &clock));
    }

    #[test]
    fn their_number_is_bounded_and_the_one_over_first_goes() {
        let (clock, hand) = Clock::manual(1_000);
        let retry = Retry {
            after: Duration::from_millis(1),
            clock: &clock,
        };
        let mut failures = Failures::default();
        for number in 0..=MOST {
            failures.note(&number.to_string(), retry);
            hand.advance(Duration::from_nanos(1));
        }
        assert_eq!(failures.0.len(), MOST);
        assert!(!failures.is_recent("0", &clock));
        assert!(failures.is_recent("1", &clock));
    }
}
