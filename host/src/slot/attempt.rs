//! A creation that failed.

use super::{InForce, Tags};

/// What is known of a creation that failed once its creator had begun, so that its error goes to nobody who may not get
/// what it would have made.
pub(crate) struct Attempt {
    pub(crate) started: u64,
    pub(crate) tags: Tags,
}

impl Attempt {
    /// Whether `in_force` would outdate its value hard. It never ended: it counts as if it had when it started.
    pub(crate) fn is_hard_outdated(&self, in_force: &InForce) -> bool {
        let outdated = in_force.outdated(self.started, self.started, &self.tags);
        self.started <= outdated.hard
    }
}
