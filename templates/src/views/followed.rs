use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dogpile::Invalidation;

use super::data;
use super::error::ViewError;
use super::layout::Layout;
use super::plan::Settings;
use super::snapshot::Snapshot;

/// A folder of templates that is followed as it is edited.
pub(crate) struct Followed {
    pub(crate) dir: PathBuf,
    layout: Layout,
    pub(crate) settings: Arc<Settings>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held by the one who reads files; the snapshot is swapped under it.
    refresh: Mutex<()>,
}

impl Followed {
    /// The error is about the folder; broken templates and data are those of their pages.
    pub(crate) fn open(dir: &Path, layout: Layout, settings: Settings) -> Result<Self, ViewError> {
        let settings = Arc::new(settings);
        let snapshot = Snapshot::take(dir, layout, &settings, None)?;
        Ok(Self {
            dir: dir.to_owned(),
            layout,
            settings,
            snapshot: RwLock::new(Arc::new(snapshot)),
            refresh: Mutex::new(()),
        })
    }

    /// The snapshot if it is current, or a new one.
    pub(crate) fn current(&self) -> Result<Arc<Snapshot>, ViewError> {
        let snapshot = self.latest();
        if snapshot.is_current(&self.dir) {
            return Ok(snapshot);
        }
        // The mutex guards no data, and the snapshot is swapped whole: after a panic both are as good as before.
        let _one = self.refresh.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = self.latest();
        let next = Snapshot::take(&self.dir, self.layout, &self.settings, Some(&latest))?;
        let snapshot = Arc::new(next);
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
        self.tell(&latest, &snapshot);
        Ok(snapshot)
    }

    /// Outdates the texts that have the tag of a data file which is other than it was, and tells the template cache of
    /// such pages.
    fn tell(&self, before: &Snapshot, after: &Snapshot) {
        let cache = &self.settings.cache;
        let changed = data::changed(&before.data, &after.data);
        if !changed.is_empty()
            && let Err(error) = cache.invalidate_tags(&changed, Invalidation::Hard)
        {
            cache.warn(&format_args!("{}: {error}", changed.join(", ")));
        }
        for (name, old) in &before.pages {
            let new = after.pages.get(name);
            let new = new.map(|plan| &plan.template);
            if new.is_none_or(|new| new.digest() != old.template.digest()) {
                cache.template_changed(&old.template, new);
            }
        }
    }

    /// What is wrong with all pages, each error once, without rendering one.
    pub(crate) fn check(&self) -> Vec<ViewError> {
        match self.current() {
            Ok(snapshot) => once(snapshot.pages.values().filter_map(|plan| plan.check())),
            Err(error) => vec![error],
        }
    }

    /// What works, but probably not as it is meant, each once.
    pub(crate) fn warnings(&self) -> Vec<ViewError> {
        match self.current() {
            Ok(snapshot) => once(snapshot.pages.values().flat_map(|plan| plan.warnings())),
            Err(_) => Vec::new(),
        }
    }

    fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Several pages may be made of the same file.
fn once(findings: impl Iterator<Item = ViewError>) -> Vec<ViewError> {
    let mut known: Vec<ViewError> = Vec::new();
    for finding in findings {
        let text = finding.to_string();
        if !known.iter().any(|known| known.to_string() == text) {
            known.push(finding);
        }
    }
    known
}
