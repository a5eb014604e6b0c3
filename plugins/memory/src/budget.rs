use std::sync::atomic::{AtomicU64, Ordering};

/// How much of something is in use, of so much at most. What is taken was there: the limit holds at every moment.
///
/// Whoever takes or gives holds the lock of some shard, so that the limit changes while nobody does.
#[repr(align(128))]
pub(crate) struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
}

/// The limit of what has none.
const NONE: u64 = u64::MAX;

impl Budget {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit: AtomicU64::new(limit.unwrap_or(NONE)),
            used: AtomicU64::new(0),
        }
    }

    /// Sets another limit. `used` is what is in use, which may be more: then it is for the caller to give. All shards
    /// are locked.
    pub(crate) fn limit_to(&self, limit: Option<u64>, used: u64) {
        self.limit.store(limit.unwrap_or(NONE), Ordering::Relaxed);
        self.used.store(used, Ordering::Relaxed);
    }

    pub(crate) fn limit(&self) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        (limit != NONE).then_some(limit)
    }

    /// Whether more is in use than there should be.
    pub(crate) fn is_exceeded(&self) -> bool {
        let used = || self.used.load(Ordering::Relaxed);
        self.limit().is_some_and(|limit| used() > limit)
    }

    /// Takes `amount` if there is room for it. What has no limit is not counted.
    pub(crate) fn take(&self, amount: u64) -> bool {
        let Some(limit) = self.limit() else {
            return true;
        };
        let grown = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
        amount == 0
            || self
                .used
                .try_update(Ordering::Relaxed, Ordering::Relaxed, grown)
                .is_ok()
    }

    /// Gives back what was taken.
    pub(crate) fn give(&self, amount: u64) {
        if self.limit().is_some() && amount != 0 {
            self.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}
