//! When a region was last invalidated, in this process.

use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_lock::{Clock, Outdated};

/// How an invalidation treats the values that it outdates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// They are as if they were gone: callers wait for new ones.
    Hard,
    /// They are as if they had just expired: served while new ones are created.
    Soft,
}

/// The times of starts and invalidations are multiples of this, in nanoseconds, which the envelope's floats keep exactly.
pub(crate) const STEP: u64 = 1000;

/// The times of the last invalidations, and a sequence that keeps starts of creations apart from them: a creation
/// which starts before an invalidation has a smaller or equal time, one which starts after has a larger one, even
/// within one tick of the clock and when the clock goes back.
#[derive(Default)]
pub(crate) struct Invalidations {
    hard: AtomicU64,
    soft: AtomicU64,
    /// The largest time given to a start or an invalidation.
    latest: AtomicU64,
    /// The largest time given to an invalidation or a mark.
    last: AtomicU64,
}

impl Invalidations {
    #[inline]
    pub(crate) fn outdated(&self) -> Outdated {
        Outdated {
            hard: self.hard.load(Ordering::Acquire),
            soft: self.soft.load(Ordering::Acquire),
        }
    }

    /// The time of a creation that starts now.
    pub(crate) fn start(&self, clock: &Clock) -> u64 {
        let after = self.last.load(Ordering::SeqCst).saturating_add(STEP);
        let started = now(clock).max(after);
        self.latest.fetch_max(started, Ordering::SeqCst);
        started
    }

    /// A time after all creations that have started, and before all that start from now on.
    pub(crate) fn mark(&self, clock: &Clock) -> u64 {
        let now = now(clock);
        let at = self.latest.fetch_max(now, Ordering::SeqCst).max(now);
        self.last.fetch_max(at, Ordering::SeqCst);
        at
    }

    /// Outdates all values whose creation has started.
    pub(crate) fn invalidate(&self, clock: &Clock, how: Invalidation) {
        let at = self.mark(clock);
        let last = match how {
            Invalidation::Hard => &self.hard,
            Invalidation::Soft => &self.soft,
        };
        last.fetch_max(at, Ordering::SeqCst);
    }
}

fn now(clock: &Clock) -> u64 {
    clock.exact() / STEP * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_invalidations_within_one_tick_keep_their_order() {
        let (clock, _) = Clock::manual(1000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        invalidations.invalidate(&clock, Invalidation::Hard);
        let after = invalidations.start(&clock);
        let hard = invalidations.outdated().hard;
        assert!(before <= hard && hard < after);
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let (clock, hand) = Clock::manual(1000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        hand.set(500);
        invalidations.invalidate(&clock, Invalidation::Soft);
        let after = invalidations.start(&clock);
        let soft = invalidations.outdated().soft;
        assert!(before <= soft && soft < after);
    }
}
