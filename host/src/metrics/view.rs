//! What the metrics are read from.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::SystemTime;

use crate::inner::Inner;
use crate::registry::Configured;
use crate::slot::{RegionStats, Stats};
use crate::status::{HostStatus, RegionStatus};
use crate::storages::Holds;

/// A host at a moment.
pub(super) struct View<'h> {
    pub(super) inner: &'h Inner,
    pub(super) status: HostStatus,
    /// When the manifest was last right.
    pub(super) succeeded: Option<SystemTime>,
    /// By name, as those of the status.
    configured: Vec<Configured>,
    holds: OnceCell<Vec<Holds>>,
}

/// A region at that moment.
pub(super) struct RegionView<'v> {
    pub(super) name: &'v str,
    pub(super) status: &'v RegionStatus,
    pub(super) counters: &'v Stats,
}

impl RegionView<'_> {
    pub(super) fn stats(&self) -> RegionStats {
        self.counters.read()
    }
}

impl<'h> View<'h> {
    pub(super) fn new(inner: &'h Arc<Inner>) -> Self {
        let snapshot = inner.engine.registry.load_full();
        let mut configured: Vec<_> = snapshot.regions().cloned().collect();
        configured.sort_unstable_by(|one, other| one.config.name.cmp(&other.config.name));
        let follower = inner.follower.as_ref();
        Self {
            inner,
            status: inner.status_of(&snapshot),
            succeeded: follower.and_then(|follower| follower.state().succeeded),
            configured,
            holds: OnceCell::new(),
        }
    }

    /// Those that are configured.
    pub(super) fn regions(&self) -> impl Iterator<Item = RegionView<'_>> {
        let regions = self.status.regions.iter().zip(&self.configured);
        regions.map(|(status, configured)| RegionView {
            name: &status.name,
            status,
            counters: &configured.slot.stats,
        })
    }

    /// What the backends of the regions hold. The first time they are asked, which may block for a moment.
    pub(super) fn storages(&self) -> impl Iterator<Item = (&str, &Holds)> {
        let holds = self.holds.get_or_init(|| {
            let regions: Vec<_> = self.configured.iter().collect();
            self.inner.storages.ask(&self.inner.engine, &regions)
        });
        let names = self.status.regions.iter().map(|region| &*region.name);
        names.zip(holds)
    }
}
