use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dogpile::Invalidation;

use super::data;
use super::error::ViewError;
use super::layout::Layout;
use super::looks::tick;
use super::plan::{Plan, Settings};
use super::snapshot::Snapshot;
use crate::cache::Part;

/// A folder of templates that is followed as it is edited.
pub(crate) struct Followed {
    /// As it was given.
    pub(crate) dir: PathBuf,
    /// The same, whatever the process makes its current folder.
    absolute: PathBuf,
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
        let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let snapshot = Snapshot::take((&absolute, dir), layout, &settings, None)?;
        Ok(Self {
            dir: dir.to_owned(),
            absolute,
            layout,
            settings,
            snapshot: RwLock::new(Arc::new(snapshot)),
            refresh: Mutex::new(()),
        })
    }

    /// The snapshot if it is current, or a new one.
    pub(crate) fn current(&self) -> Result<Arc<Snapshot>, ViewError> {
        let snapshot = self.latest();
        if snapshot.is_current(&self.absolute) {
            return Ok(snapshot);
        }
        self.renewed()
    }

    /// The page of a template, if there is one, as its files are now, or were earlier in this [tick](tick) if there are many
    /// who ask.
    pub(crate) fn page(&self, template: &str) -> Result<Option<Arc<Plan>>, ViewError> {
        // Before the look: what was edited before this tick is seen by every look in it.
        let tick = tick();
        let page = |snapshot: &Snapshot| snapshot.pages.get(template).map(Arc::clone);
        {
            // A current snapshot is looked at in its place: each reference counted is one that all threads share.
            let snapshot = self.snapshot.read();
            let snapshot = snapshot.unwrap_or_else(PoisonError::into_inner);
            if snapshot.is_current_in(tick, &self.absolute) {
                return Ok(page(&snapshot));
            }
        }
        Ok(page(&*self.renewed()?))
    }

    fn renewed(&self) -> Result<Arc<Snapshot>, ViewError> {
        // The mutex guards no data, and the snapshot is swapped whole: after a panic both are as good as before.
        let _one = self.refresh.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = self.latest();
        if latest.is_current(&self.absolute) {
            return Ok(latest);
        }
        let dir = (&*self.absolute, &*self.dir);
        let next = Snapshot::take(dir, self.layout, &self.settings, Some(&latest))?;
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
            Ok(snapshot) => once(snapshot.pages.values().flat_map(|plan| {
                let fault = plan.check();
                let of_host = |part: Part<'_>, region: &str| {
                    let fault = part.region(region).region_fault()?;
                    Some(fault.to_string())
                };
                fault.into_iter().chain(plan.region_faults(of_host))
            })),
            Err(error) => vec![error],
        }
    }

    /// Fragments of whose region `fault` tells something, each once.
    pub(crate) fn region_faults(&self, fault: impl Fn(&str) -> Option<String>) -> Vec<ViewError> {
        match self.current() {
            Ok(snapshot) => once(
                snapshot
                    .pages
                    .values()
                    .flat_map(|plan| plan.region_faults(|_, region| fault(region))),
            ),
            Err(_) => Vec::new(),
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::OnceLock;

    use super::*;
    use crate::cache::ViewCache;

    fn settings() -> Settings {
        Settings {
            cache: ViewCache::off(),
            has_data: false,
            same: &[],
            apart: &[],
            setup: Box::new(|_| {}),
            globals: OnceLock::new(),
        }
    }

    #[test]
    fn files_are_looked_at_when_something_has_changed_or_when_nobody_tells_of_changes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.html"), "a").unwrap();
        let followed = Followed::open(folder.path(), Layout::Templates, settings()).unwrap();
        let looks = || !Arc::ptr_eq(&followed.current().unwrap(), &followed.current().unwrap());
        // Written just now: one look would prove nothing.
        assert!(!looks());
        fs::write(folder.path().join("a.html"), "b").unwrap();
        let before = followed.latest();
        assert!(!Arc::ptr_eq(&before, &followed.current().unwrap()));
        assert!(!looks());
        // What is behind it may come without a change of the folder.
        symlink("missing/b.html", folder.path().join("b.html")).unwrap();
        assert!(looks());
        fs::remove_file(folder.path().join("b.html")).unwrap();
        assert!(!looks());
    }

    #[test]
    fn of_very_many_who_ask_within_a_tick_the_last_are_served_by_the_looks_of_the_others() {
        for (asked, is_seen) in [(99, true), (100, false), (1000, false)] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.html");
            fs::write(&file, "a").unwrap();
            let followed = Followed::open(folder.path(), Layout::Templates, settings()).unwrap();
            let snapshot = followed.latest();
            let is_current = |tick| snapshot.is_current_in(tick, &followed.absolute);
            assert!((0..1000).all(|_| is_current(1)));
            assert!((0..asked).all(|_| is_current(2)));
            fs::write(&file, "b").unwrap();
            assert_eq!(!is_current(2), is_seen, "after {asked} looks");
            assert!(!is_current(3));
        }
    }
}
