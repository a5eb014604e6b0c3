//! Closes an instance before its successor opens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blame;
use crate::engine::Engine;
use crate::instance::Instance;
use crate::loader::OpenError;
use crate::registry::Snapshot;

/// Between two looks whether the last call has ended.
const LOOK: Duration = Duration::from_millis(10);

/// An instance of which no call begins any more. Calls under way hold it, or the snapshot that they began with.
pub(crate) struct LastCall<'a> {
    instance: &'a Arc<Instance>,
    /// How often it is held by what is in force, and by the caller.
    holders: usize,
}

impl<'a> LastCall<'a> {
    /// Puts the like of the current snapshot in its place, so that calls under way are the only ones who hold the old
    /// one. `held` is how often the caller holds the instance; the caller has the host's change lock.
    pub(crate) fn begin(engine: &Engine, instance: &'a Arc<Instance>, held: usize) -> Self {
        let next = Snapshot::clone(&engine.registry.load());
        let holders = next.holders(instance) + held;
        drop(engine.registry.amend(next));
        Self { instance, holders }
    }

    /// Closes it after its last call. False if that has not ended within `patience`, or `pause`, which waits, says that
    /// it is no use any more: then it is not closed.
    pub(crate) fn finish(
        self,
        patience: Option<Duration>,
        mut pause: impl FnMut(Duration) -> bool,
    ) -> bool {
        let began = Instant::now();
        while Arc::strong_count(self.instance) > self.holders {
            if patience.is_some_and(|patience| began.elapsed() > patience) || pause(LOOK) {
                return false;
            }
        }
        if let Err(error) = self.instance.backend.close() {
            let error = self.instance.without_secrets(error);
            blame::not_closed(&self.instance.title(), &OpenError::Failed(error));
        }
        true
    }
}
