//! What a region counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::durations::Durations;
use super::mark::Mark;
use crate::ErrorKind;
use crate::published::Pin;
use crate::stripes;

/// What is counted; the discriminant is the place in a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Hit,
    Stale,
    Creation,
    FailedCreation,
    AbandonedCreation,
    Wait,
    Absent,
    Expired,
    Invalidated,
    Foreign,
    Damaged,
    Version,
    Type,
    BackendError,
    Bypass,
    RefusedRefresh,
    StoreError,
    HardInvalidation,
    SoftInvalidation,
}

const COUNTS: usize = Count::SoftInvalidation as usize + 1;

/// Counters, one stripe for a thread or a few, so that threads do not share a cache line on every hit. Each number is
/// exact; numbers read while calls are under way may not add up.
pub(crate) struct Stats {
    stripes: Box<[Stripe]>,
    /// By the number of their kind.
    errors: [AtomicU64; ErrorKind::ALL.len()],
    /// Of creators that gave values or an error.
    pub(crate) creation_times: Durations,
    /// Of callers that got another's value, or gave up.
    pub(crate) wait_times: Durations,
}

#[repr(align(128))]
#[derive(Default)]
struct Stripe {
    counts: [AtomicU64; COUNTS],
    /// Of the thread that has the stripe pinned.
    mark: Mark,
}

/// A call that is under way in a pinned stripe.
pub(crate) struct Marked {
    pub(crate) stripe: usize,
    /// See [`Mark::look`].
    pub(crate) callee: usize,
    pub(crate) number: u64,
}

impl Stats {
    pub(crate) fn new() -> Self {
        Self {
            stripes: (0..*stripes::COUNT).map(|_| Stripe::default()).collect(),
            errors: Default::default(),
            creation_times: Durations::default(),
            wait_times: Durations::default(),
        }
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        let at = stripes::own(self.stripes.len());
        self.stripes[at].counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A call ended with an error.
    pub(crate) fn count_error(&self, kind: ErrorKind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A creator begins, of so many values. It is counted once it has ended, however it does.
    pub(crate) fn creating(&self, values: usize) -> Creating<'_> {
        Creating {
            stats: self,
            values,
        }
    }

    /// Where a call is marked, and counted if it is a hit, in the stripe that the pin makes this thread's alone.
    #[inline]
    pub(crate) fn mark<T>(&self, pin: &Pin<'_, T>) -> &Mark {
        &self.stripes[pin.stripe()].mark
    }

    /// The calls that are marked.
    pub(crate) fn marked(&self) -> impl Iterator<Item = Marked> {
        let stripes = self.stripes.iter().enumerate();
        stripes.filter_map(|(stripe, of)| {
            let (callee, number) = of.mark.look()?;
            Some(Marked {
                stripe,
                callee,
                number,
            })
        })
    }

    /// How many calls ended with an error of that kind.
    pub(crate) fn errors(&self, kind: ErrorKind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn sum(&self, what: Count) -> u64 {
        let of = |stripe: &Stripe| stripe.counts[what as usize].load(Ordering::Relaxed);
        self.stripes.iter().map(of).sum()
    }

    /// Calls that found a fresh value.
    pub(crate) fn hits(&self) -> u64 {
        let marked = self.stripes.iter().map(|stripe| stripe.mark.hits());
        self.sum(Count::Hit) + marked.sum::<u64>()
    }

    pub(crate) fn read(&self) -> RegionStats {
        RegionStats {
            hits: self.hits(),
            misses: MissReason::ALL
                .map(|reason| (reason, self.sum(reason.count())))
                .into(),
            stale: self.sum(Count::Stale),
            creations: self.sum(Count::Creation),
            failed_creations: self.sum(Count::FailedCreation),
            abandoned_creations: self.sum(Count::AbandonedCreation),
            waits: self.sum(Count::Wait),
            errors: ErrorKind::ALL.map(|kind| self.errors(kind)).iter().sum(),
            store_errors: self.sum(Count::StoreError),
            refused_refreshes: self.sum(Count::RefusedRefresh),
        }
    }
}

/// A creator that runs.
#[must_use = "dropped, it counts as abandoned"]
pub(crate) struct Creating<'s> {
    stats: &'s Stats,
    values: usize,
}

impl Creating<'_> {
    /// It gave so many values, after so many seconds.
    pub(crate) fn created(self, values: usize, seconds: f64) {
        self.ended(Count::Creation, values, seconds);
    }

    /// It ended with an error, after so many seconds.
    pub(crate) fn failed(self, seconds: f64) {
        let values = self.values;
        self.ended(Count::FailedCreation, values, seconds);
    }

    fn ended(mut self, what: Count, values: usize, seconds: f64) {
        self.values = 0;
        (0..values).for_each(|_| self.stats.count(what));
        self.stats.creation_times.observe(seconds);
    }
}

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        (0..self.values).for_each(|_| self.stats.count(Count::AbandonedCreation));
    }
}

/// What a region has counted since the host started, over all reloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegionStats {
    /// Calls that found a fresh value.
    pub hits: u64,
    /// Calls whose first read found no fresh value, by reason.
    pub misses: BTreeMap<MissReason, u64>,
    /// Calls that were served a stale value.
    pub stale: u64,
    /// Values that creators made.
    pub creations: u64,
    /// Values that creators were to make that ended with an error.
    pub failed_creations: u64,
    /// Values that creators were to make that came to no end: they panicked or, if asynchronous, were dropped.
    pub abandoned_creations: u64,
    /// Calls that waited for another's creation and got its result.
    pub waits: u64,
    /// Calls that ended with an error.
    pub errors: u64,
    /// Values that the backend failed to store, whether or not a call ended with that.
    pub store_errors: u64,
    /// Background creations that were not begun, because too many wait already.
    pub refused_refreshes: u64,
}

/// Why a read found no fresh value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MissReason {
    /// Nothing is stored under the key.
    Absent,
    /// It is older than the expiration time, or its creation time lies in the future.
    Expired,
    /// It was invalidated.
    Invalidated,
    /// What is stored is pickled, as Python's dogpile.cache does by default. Unless the region's `replace_foreign` says
    /// so, a created value is not stored over it.
    Foreign,
    /// What is stored cannot be decoded as the caller's type, or is no envelope, or another serializer wrote it.
    Damaged,
    /// It has another `value_version`, or another version of dogpile's format.
    Version,
    /// In a backend of objects: one of another type is stored.
    Type,
    /// The backend failed.
    BackendError,
    /// The backend was not called, since it is reopened after a panic or its breaker is open; or it failed, and the value
    /// was served that was created while it did (`bypass_hold`).
    Bypass,
}

impl MissReason {
    pub(crate) const ALL: [Self; 9] = [
        Self::Absent,
        Self::Expired,
        Self::Invalidated,
        Self::Foreign,
        Self::Damaged,
        Self::Version,
        Self::Type,
        Self::BackendError,
        Self::Bypass,
    ];

    /// Its name in status and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Invalidated => "invalidated",
            Self::Foreign => "foreign",
            Self::Damaged => "damaged",
            Self::Version => "version",
            Self::Type => "type",
            Self::BackendError => "backend_error",
            Self::Bypass => "bypass",
        }
    }

    pub(crate) fn count(self) -> Count {
        match self {
            Self::Absent => Count::Absent,
            Self::Expired => Count::Expired,
            Self::Invalidated => Count::Invalidated,
            Self::Foreign => Count::Foreign,
            Self::Damaged => Count::Damaged,
            Self::Version => Count::Version,
            Self::Type => Count::Type,
            Self::BackendError => Count::BackendError,
            Self::Bypass => Count::Bypass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::Published;

    #[test]
    fn hits_of_threads_that_share_stripes_are_exact() {
        let (stats, published) = (Stats::new(), Published::new(()));
        std::thread::scope(|scope| {
            for _ in 0..2 * *stripes::COUNT {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        match published.pin() {
                            Some(pin) => stats.mark(&pin).leave_with_hit(),
                            None => stats.count(Count::Hit),
                        }
                    }
                });
            }
        });
        assert_eq!(stats.read().hits, 2000 * *stripes::COUNT as u64);
    }

    #[test]
    fn counts_of_many_threads_are_exact() {
        let stats = Stats::new();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        stats.count(Count::Hit);
                        stats.count(Count::BackendError);
                    }
                });
            }
        });
        let read = stats.read();
        assert_eq!(read.hits, 16_000);
        assert_eq!(read.misses[&MissReason::BackendError], 16_000);
        assert_eq!(read.misses[&MissReason::Absent], 0);
    }
}
