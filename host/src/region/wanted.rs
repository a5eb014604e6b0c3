//! What a call may be given of what others create while it waits.

use std::sync::Arc;

use dogpile_lock::{Outcome, Source};
use dogpile_plugin_api::Value;

use super::Region;
use super::notes::is_hard_outdated;
use crate::slot::{Attempt, InForce};

/// Nothing that an invalidation from before the call outdates, nor, for a refresh, what began to be created before it.
pub(super) struct Wanted {
    since: u64,
    in_force: Arc<InForce>,
}

impl Wanted {
    /// What began to be created at `since` or before is not wanted; at 0, all is.
    pub(super) fn begun_after(region: &Region, since: u64) -> Self {
        Self {
            since,
            in_force: region.slot().invalidations.in_force(),
        }
    }

    pub(super) fn any(region: &Region) -> Self {
        Self::begun_after(region, 0)
    }

    pub(super) fn begun_from_now(region: &Region) -> Self {
        let since = region.slot().invalidations.mark(region.clock());
        Self::begun_after(region, since)
    }

    /// Whether what is stored may do.
    pub(super) fn takes_what_is_there(&self) -> bool {
        self.since == 0
    }

    /// Whether that is another's, and too old.
    pub(super) fn refuses(&self, outcome: &Outcome<Value>) -> bool {
        let Outcome { value, source } = outcome;
        *source == Source::Waited
            && (value.metadata().started <= self.since || is_hard_outdated(value, &self.in_force))
    }

    /// Whether another's creation that gave no value began too early.
    pub(super) fn refuses_attempt(&self, attempt: &Attempt) -> bool {
        attempt.started <= self.since || attempt.is_hard_outdated(&self.in_force)
    }
}
