//! What of a region is outdated, as this process knows it.

mod marks;
mod record;
mod strategy;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use dogpile_lock::{Clock, FUTURE_TOLERANCE, Outdated};
use parking_lot::Mutex;

pub(crate) use self::marks::{Marks, Target};
pub use self::strategy::{InvalidationStrategy, Verdict};
use crate::slot::Tags;

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
    /// No value without tags that started after this is outdated: all that a hit looks at. `u64::MAX` while a strategy
    /// of the program's own judges.
    gate: AtomicU64,
    /// The same of values with tags, whichever they are.
    tagged_gate: AtomicU64,
    /// The largest time given to a start or an invalidation.
    latest: AtomicU64,
    /// The largest time given to an invalidation or a mark.
    last: AtomicU64,
    in_force: ArcSwap<InForce>,
    /// What the record in the storage ought to say at least. Held while anything here changes.
    record: Mutex<Marks>,
}

/// What is outdated at a moment.
#[derive(Clone, Default)]
pub(crate) struct InForce {
    marks: Marks,
    strategy: Option<Arc<dyn InvalidationStrategy>>,
}

impl InForce {
    /// What concerns a value with these times and tags.
    pub(crate) fn outdated(&self, created: u64, started: u64, tags: &Tags) -> Outdated {
        let mut outdated = self.marks.outdated(tags);
        let time = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        let judged = self.strategy.as_ref();
        match judged.and_then(|strategy| strategy.outdates(time(created), time(started))) {
            Some(Verdict::Hard) => outdated.hard = u64::MAX,
            Some(Verdict::Soft { since }) => {
                // What it outdates is so, whenever that began. Zero would be never.
                let since = nanoseconds(since).max(started).max(1);
                outdated.soft = outdated.soft.max(since);
            }
            None => {}
        }
        outdated
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(crate) fn strategy(&self) -> Option<&Arc<dyn InvalidationStrategy>> {
        self.strategy.as_ref()
    }
}

impl Invalidations {
    /// See the field.
    #[inline]
    pub(crate) fn gate(&self) -> u64 {
        self.gate.load(Ordering::Acquire)
    }

    /// See the field.
    #[inline]
    pub(crate) fn tagged_gate(&self) -> u64 {
        self.tagged_gate.load(Ordering::Acquire)
    }

    /// What concerns a value with these times and tags, which is read at `now`.
    pub(crate) fn outdated(&self, now: u64, created: u64, started: u64, tags: &Tags) -> Outdated {
        let gate = if tags.is_empty() {
            self.gate()
        } else {
            self.tagged_gate()
        };
        if started > gate && created <= sane(now) {
            return Outdated::default();
        }
        self.in_force.load().outdated(created, started, tags)
    }

    /// What is outdated at this moment.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// What the record in the storage ought to say at least.
    pub(crate) fn record(&self) -> Marks {
        self.record.lock().clone()
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

    /// Outdates the values of the targets whose creation has started. `shared`: the record is to say so too.
    pub(crate) fn invalidate(
        &self,
        clock: &Clock,
        targets: &[Target<'_>],
        how: Invalidation,
        shared: bool,
    ) {
        let mut record = self.record.lock();
        let now = now(clock);
        let mut at = self.latest.fetch_max(now, Ordering::SeqCst).max(now);
        if shared {
            // Others see it by its being later than what they saw, even if that came from a clock ahead of ours.
            let known = targets.iter().map(|target| record.at(*target, how));
            let number = at.max(known.max().unwrap_or(0).saturating_add(STEP));
            for target in targets {
                record.raise(*target, how, number);
            }
            record.bound();
            if number <= sane(now) {
                at = number;
            }
        }
        self.outdate(|marks| {
            for target in targets {
                marks.raise(*target, how, at);
            }
            at
        });
    }

    /// Takes in the record as the storage has it; whether that lacks something.
    ///
    /// A time that lies too far ahead, by a clock that is wrong, counts as the moment at which it is first seen: the
    /// invalidation is not lost, and outdates nothing that is created after it.
    pub(crate) fn absorb(&self, clock: &Clock, stored: &Marks) -> bool {
        let mut record = self.record.lock();
        if record.covers(stored) {
            return !stored.covers(&record);
        }
        let now = now(clock);
        let seen = self.latest.fetch_max(now, Ordering::SeqCst).max(now);
        self.outdate(|marks| {
            let mut last = 0;
            for (target, mark) in stored.each() {
                for (how, number) in [
                    (Invalidation::Hard, mark.hard),
                    (Invalidation::Soft, mark.soft),
                ] {
                    if number > record.at(target, how) {
                        let at = if number <= sane(now) { number } else { seen };
                        marks.raise(target, how, at);
                        last = last.max(at);
                        record.raise(target, how, number);
                    }
                }
            }
            last
        });
        record.bound();
        !stored.covers(&record)
    }

    /// The caller holds the record's lock, and `change` gives the latest time that it has set.
    fn outdate(&self, change: impl FnOnce(&mut Marks) -> u64) {
        let mut next = (**self.in_force.load()).clone();
        let last = change(&mut next.marks);
        next.marks.bound();
        self.latest.fetch_max(last, Ordering::SeqCst);
        // First, so that no creation which starts when the values are outdated is outdated with them.
        self.last.fetch_max(last, Ordering::SeqCst);
        let region = next.marks.region();
        self.in_force.store(Arc::new(next));
        self.gate
            .fetch_max(region.hard.max(region.soft), Ordering::AcqRel);
        self.tagged_gate.fetch_max(last, Ordering::AcqRel);
    }

    /// Lets the program's own strategy judge from now on.
    pub(crate) fn set_strategy(&self, strategy: Arc<dyn InvalidationStrategy>) {
        let change = self.record.lock();
        let mut next = (**self.in_force.load()).clone();
        next.strategy = Some(strategy);
        let replaced = self.in_force.swap(Arc::new(next));
        self.gate.store(u64::MAX, Ordering::Release);
        self.tagged_gate.store(u64::MAX, Ordering::Release);
        drop(change);
        // It is the program's own code: not under the lock.
        drop(replaced);
    }
}

/// Since 1970, as far as that can be told.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn now(clock: &Clock) -> u64 {
    clock.exact() / STEP * STEP
}

/// The latest time that another machine's clock may give.
fn sane(now: u64) -> u64 {
    now.saturating_add(FUTURE_TOLERANCE)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::marks::MOST_TAGS;
    use super::*;

    const REGION: &[Target<'_>] = &[Target::Region];
    const MINUTE: u64 = FUTURE_TOLERANCE;

    fn hard(invalidations: &Invalidations) -> u64 {
        invalidations.in_force().marks().region().hard
    }

    fn record_of(hard: u64) -> Marks {
        let mut marks = Marks::default();
        marks.raise(Target::Region, Invalidation::Hard, hard);
        marks
    }

    #[test]
    fn starts_and_invalidations_within_one_tick_keep_their_order() {
        let (clock, _) = Clock::manual(1000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        invalidations.invalidate(&clock, REGION, Invalidation::Hard, false);
        let after = invalidations.start(&clock);
        let hard = hard(&invalidations);
        assert!(before <= hard && hard < after);
        assert_eq!(invalidations.gate(), hard);
        assert_eq!(invalidations.tagged_gate(), hard);
    }

    #[test]
    fn an_invalidation_of_a_tag_makes_a_hit_look_closely_at_tagged_values_alone() {
        let (clock, _) = Clock::manual(1000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        invalidations.invalidate(&clock, &[Target::Tag("a")], Invalidation::Soft, false);
        assert_eq!(invalidations.gate(), 0);
        let after = invalidations.start(&clock);
        let gate = invalidations.tagged_gate();
        assert!(before <= gate && gate < after);
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        for shared in [false, true] {
            let (clock, hand) = Clock::manual(1000);
            let invalidations = Invalidations::default();
            let before = invalidations.start(&clock);
            hand.set(500);
            invalidations.invalidate(&clock, REGION, Invalidation::Soft, shared);
            let after = invalidations.start(&clock);
            let soft = invalidations.in_force().marks().region().soft;
            assert!(before <= soft && soft < after);
        }
    }

    #[test]
    fn what_is_not_shared_is_not_in_the_record() {
        let (clock, _) = Clock::manual(1000);
        let invalidations = Invalidations::default();
        invalidations.invalidate(&clock, REGION, Invalidation::Hard, false);
        assert_eq!(invalidations.record(), Marks::default());
        assert!(!invalidations.absorb(&clock, &Marks::default()));
    }

    #[test]
    fn the_larger_number_wins_and_what_the_storage_lacks_is_told() {
        let (clock, _) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        invalidations.invalidate(&clock, REGION, Invalidation::Hard, true);
        assert!(invalidations.absorb(&clock, &Marks::default()));
        assert!(invalidations.absorb(&clock, &record_of(500_000)));
        assert_eq!(hard(&invalidations), 1_000_000);
        assert!(!invalidations.absorb(&clock, &record_of(1_500_000)));
        assert_eq!(hard(&invalidations), 1_500_000);
        // What starts now is not outdated by what another's clock says is to come.
        assert!(invalidations.start(&clock) > 1_500_000);
    }

    #[test]
    fn a_record_of_a_clock_far_ahead_counts_from_when_it_is_seen_and_hides_no_later_one() {
        let (clock, hand) = Clock::manual(1_000_000);
        let far = 1_000_000 + 2 * MINUTE;
        let (one, other) = (Invalidations::default(), Invalidations::default());
        let before = one.start(&clock);
        one.absorb(&clock, &record_of(far));
        assert_eq!(hard(&one), before);
        let after = one.start(&clock);
        assert_eq!(
            one.outdated(after, after, after, &Tags::default()),
            Outdated::default()
        );
        other.absorb(&clock, &record_of(far));
        hand.advance(Duration::from_secs(1));
        let between = other.start(&clock);
        one.invalidate(&clock, REGION, Invalidation::Hard, true);
        other.absorb(&clock, &one.record());
        assert!(hard(&other) >= between);
        assert!(other.start(&clock) < far);
    }

    #[test]
    fn what_starts_after_an_invalidation_is_not_outdated_by_the_record_of_it_either() {
        let (clock, _) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        // By a clock that is a little ahead.
        invalidations.absorb(&clock, &record_of(1_000_000 + MINUTE / 2));
        invalidations.invalidate(&clock, REGION, Invalidation::Hard, true);
        let after = invalidations.start(&clock);
        assert!(after > invalidations.record().region().hard);
    }

    #[test]
    fn what_started_before_a_clock_went_back_is_outdated_by_a_record_that_is_seen_then() {
        let (clock, hand) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        hand.set(500_000);
        invalidations.absorb(&clock, &record_of(1_000_000 + 2 * MINUTE));
        assert!(hard(&invalidations) >= before);
        assert!(invalidations.start(&clock) > hard(&invalidations));
    }

    #[test]
    fn a_record_of_a_clock_far_ahead_counts_once() {
        let (clock, hand) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        let mut stored = record_of(1_000_000 + 2 * MINUTE);
        invalidations.absorb(&clock, &stored);
        hand.advance(Duration::from_secs(1));
        let after = invalidations.start(&clock);
        stored.raise(Target::Tag("another"), Invalidation::Hard, 2_000_000);
        invalidations.absorb(&clock, &stored);
        assert!(hard(&invalidations) < after);
    }

    #[test]
    fn what_starts_after_a_record_was_seen_is_outdated_by_none_of_its_times() {
        let (clock, _) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        let mut stored = record_of(3_000_000);
        stored.raise(Target::Region, Invalidation::Soft, 2_000_000);
        invalidations.absorb(&clock, &stored);
        assert!(invalidations.start(&clock) > 3_000_000);
    }

    #[test]
    fn a_storage_with_news_that_lacks_something_too_is_told() {
        let (clock, _) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        let own = [Target::Tag("own")];
        invalidations.invalidate(&clock, &own, Invalidation::Hard, true);
        assert!(invalidations.absorb(&clock, &record_of(1_500_000)));
        assert_eq!(hard(&invalidations), 1_500_000);
    }

    struct SoftSince(SystemTime);

    impl InvalidationStrategy for SoftSince {
        fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn Error + Send + Sync>> {
            Ok(())
        }

        fn outdates(&self, _: SystemTime, _: SystemTime) -> Option<Verdict> {
            Some(Verdict::Soft { since: self.0 })
        }
    }

    #[test]
    fn a_strategy_outdates_since_its_own_time_the_start_or_a_later_mark() {
        let (clock, _) = Clock::manual(1_000_000);
        let invalidations = Invalidations::default();
        let soft = |since, started| {
            let since = UNIX_EPOCH + Duration::from_nanos(since);
            invalidations.set_strategy(Arc::new(SoftSince(since)));
            let outdated = invalidations.outdated(started, started, started, &Tags::default());
            assert_eq!(outdated.hard, 0);
            outdated.soft
        };
        assert_eq!(soft(7_000, 5_000), 7_000);
        assert_eq!(soft(3_000, 5_000), 5_000);
        assert_eq!(soft(0, 0), 1, "zero is never");
        invalidations.invalidate(&clock, REGION, Invalidation::Soft, false);
        assert_eq!(soft(7_000, 5_000), 1_000_000);
    }

    #[test]
    fn no_more_tags_are_told_apart_than_may_be_whether_they_are_taken_in_or_outdated_here() {
        let (clock, hand) = Clock::manual(1_000_000_000);
        let invalidations = Invalidations::default();
        let before = invalidations.start(&clock);
        let tag = |number: usize| format!("tag {number}");
        let mut stored = Marks::default();
        for number in 0..MOST_TAGS + 2 {
            let at = before + STEP * (number as u64 + 1);
            stored.raise(Target::Tag(&tag(number)), Invalidation::Hard, at);
        }
        let few = |record: usize, in_force: usize| {
            assert_eq!(invalidations.record().tags(), record);
            assert_eq!(invalidations.in_force().marks().tags(), in_force);
        };
        invalidations.absorb(&clock, &stored);
        few(MOST_TAGS, MOST_TAGS);
        hand.advance(Duration::from_secs(1));
        let target = Target::Tag("outdated here");
        invalidations.invalidate(&clock, &[target], Invalidation::Hard, true);
        few(MOST_TAGS, MOST_TAGS);
        // Of those that are forgotten remains that they were outdated.
        for name in [&tag(0), &tag(MOST_TAGS), "outdated here"] {
            let outdated = invalidations
                .outdated(before, before, before, &Tags::new([name]))
                .hard;
            assert!(outdated > before, "{name}");
        }
    }
}
