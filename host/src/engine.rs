//! What every part of a host shares.

use dogpile_lock::{Clock, WaitGraph};
use parking_lot::Mutex;

use crate::plugins::PluginSet;
use crate::registry::{Registry, Snapshot};

/// The registry, and what regions need to be opened and called.
pub(crate) struct Engine {
    pub(crate) registry: Registry,
    pub(crate) clock: &'static Clock,
    pub(crate) graph: WaitGraph,
    /// Linked into the program: they stay through every reload.
    pub(crate) linked: PluginSet,
    /// Held while regions are opened and replaced: one change at a time.
    pub(crate) change: Mutex<()>,
}

impl Engine {
    pub(crate) fn new(linked: PluginSet, clock: &'static Clock) -> Self {
        Self {
            registry: Registry::new(Snapshot::new(linked.clone())),
            clock,
            graph: WaitGraph::new(),
            linked,
            change: Mutex::new(()),
        }
    }
}
