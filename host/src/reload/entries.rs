//! What becomes of the entries of regions whose instance goes, or takes on arguments that leave less room.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::late::Adapted;
use super::plan::{Change, ChangeKind, EntriesFate};
use crate::instance::Instance;
use crate::loader;
use crate::registry::Snapshot;

/// How long a backend may take to say how much it holds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What becomes of the entries of instances that go, each asked once.
#[derive(Default)]
pub(super) struct Fates(Vec<(Weak<Instance>, EntriesFate)>);

impl Fates {
    /// Asks an instance while it can be asked.
    pub(super) fn ask(&mut self, instance: &Arc<Instance>) -> EntriesFate {
        if let Some(fate) = self.noted(instance) {
            return fate;
        }
        let fate = fate(instance);
        self.0.push((Arc::downgrade(instance), fate));
        fate
    }

    fn noted(&self, instance: &Arc<Instance>) -> Option<EntriesFate> {
        let is_it = |known: &Weak<Instance>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(instance));
        let noted = self.0.iter().find(|(known, _)| is_it(known));
        noted.map(|(_, fate)| *fate)
    }

    /// Takes note of one that has taken on other arguments.
    pub(super) fn note(&mut self, adapted: &Adapted) {
        let lost = adapted.lost.map_or(EntriesFate::Kept, EntriesFate::Lost);
        self.0.push((Arc::downgrade(&adapted.instance), lost));
    }

    /// Says of each change that takes an instance of `current` away, or has it take on other arguments, what becomes of its entries, and gives how many are
    /// lost in all. `stays` says whether an instance is in use afterwards.
    pub(super) fn tell(
        &mut self,
        changes: &mut [Change],
        current: &Snapshot,
        stays: impl Fn(&Arc<Instance>) -> bool,
    ) -> u64 {
        // Regions that share their keys share an instance.
        let mut lost: Vec<(*const Instance, u64)> = Vec::new();
        for change in changes {
            let mut regions = current.regions();
            let Some(old) = regions.find(|region| region.config.name == change.region) else {
                continue;
            };
            let base = old.instance.base();
            change.entries = match change.kind {
                ChangeKind::Removed | ChangeKind::Swapped if !stays(base) => self.ask(base),
                // Not noted: it would take them on.
                ChangeKind::Reconfigured => self.noted(base).unwrap_or(EntriesFate::IfRoom),
                _ => continue,
            };
            if let EntriesFate::Lost(entries) = change.entries {
                lost.push((Arc::as_ptr(base), entries));
            }
        }
        lost.sort_unstable();
        lost.dedup();
        lost.iter().map(|(_, entries)| entries).sum()
    }
}

fn fate(instance: &Arc<Instance>) -> EntriesFate {
    if instance.properties.shared {
        return EntriesFate::Stay;
    }
    match entries(instance) {
        Some(entries) => EntriesFate::Lost(entries),
        None => EntriesFate::LostUncounted,
    }
}

/// How many entries an instance holds for this process alone, if it says so.
pub(super) fn own_entries(instance: &Arc<Instance>) -> Option<u64> {
    if instance.properties.shared {
        return None;
    }
    entries(instance)
}

fn entries(instance: &Arc<Instance>) -> Option<u64> {
    let asked = Arc::clone(instance);
    // As a proxy calls it: what comes of it is none of the breaker's business.
    let ask = move || {
        asked
            .backend
            .inside("stats", dogpile_plugin_api::BackendInstance::stats)
    };
    let told = loader::within(PATIENCE, &instance.name, ask, drop);
    told.ok()?.entries
}
