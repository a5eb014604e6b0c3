use std::sync::atomic::{AtomicU64, Ordering};

/// How much of something is in use, of so much at most. What is taken was there: the limit holds at every moment.
#[repr(align(128))]
pub(crate) struct Budget {
    limit: Option<u64>,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    pub(crate) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Takes `amount` if there is room for it. What has no limit is not counted.
    pub(crate) fn take(&self, amount: u64) -> bool {
        let Some(limit) = self.limit else {
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
        if self.limit.is_some() && amount != 0 {
            self.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}
