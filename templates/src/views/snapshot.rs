use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::closure::{Templates, providers};
use super::data::DataFiles;
use super::error::{ViewError, ViewErrorKind};
use super::files::{Role, Tracked};
use super::layout::Layout;
use super::listing::{Folder, Listing};
use super::looks::Looks;
use super::plan::{Files, Plan, Settings};
use super::watch::Watch;

/// All files of a folder as they were at one look, and the pages made of them. Never changed: a later look that sees a
/// difference makes another, which shares what is the same.
pub(crate) struct Snapshot {
    root: PathBuf,
    /// From before anything was looked at.
    watch: Watch,
    looks: Looks,
    folders: Vec<Folder>,
    templates: Templates,
    pub(crate) data: DataFiles,
    /// By template name.
    pub(crate) pages: BTreeMap<String, Arc<Plan>>,
}

impl Snapshot {
    /// Of the folder at the absolute path `dir`, which a person spells `shown`.
    pub(crate) fn take(
        (dir, shown): (&Path, &Path),
        layout: Layout,
        settings: &Arc<Settings>,
        previous: Option<&Snapshot>,
    ) -> Result<Self, ViewError> {
        let now = SystemTime::now();
        let mut watch = Watch::new();
        watch.way(dir);
        let root = root((dir, shown), layout)?;
        let previous = previous.filter(|previous| previous.root == root);
        let listing = Listing::new((&root, shown), layout, now, &mut watch)?;
        let mut templates = Templates::new();
        let mut data = DataFiles::new();
        for found in listing.found {
            let name = found.name.clone();
            watch.file(found.place());
            match found.role {
                Role::Template => {
                    let before = previous.and_then(|previous| previous.templates.get(&name));
                    templates.insert(name, Tracked::read(found, before, now));
                }
                Role::Data => {
                    let before = previous.and_then(|previous| previous.data.get(&name));
                    data.insert(name, Tracked::read(found, before, now));
                }
            }
        }
        let mut files = templates.values().chain(data.values());
        if !files.all(Tracked::is_readable) {
            watch.give_up();
        }
        let pages = match previous {
            Some(previous) if previous.has_contents_of(&templates, &data) => previous.pages.clone(),
            _ => {
                let files = Files {
                    templates: &templates,
                    providers: &providers(&templates),
                    data: &data,
                };
                pages(&files, layout, settings, previous)
            }
        };
        Ok(Self {
            root,
            watch,
            looks: Looks::default(),
            folders: listing.folders,
            templates,
            data,
            pages,
        })
    }

    /// Whether it is current, or was when enough others had looked in this [tick](super::looks::tick).
    pub(crate) fn is_current_in(&self, tick: u64, dir: &Path) -> bool {
        if self.looks.are_enough(tick) {
            return true;
        }
        let current = self.is_current(dir);
        if current {
            self.looks.add(tick);
        }
        current
    }

    /// Whether a snapshot taken now would certainly be the same. Where the kernel does not tell, by a look at each file.
    pub(crate) fn is_current(&self, dir: &Path) -> bool {
        if let Some(quiet) = self.watch.is_quiet() {
            return quiet;
        }
        let now = SystemTime::now();
        fs::canonicalize(dir).is_ok_and(|root| root == self.root)
            && self.folders.iter().all(|folder| folder.is_current(now))
            && self.templates.values().all(|file| file.is_current(now))
            && self.data.values().all(|file| file.is_current(now))
    }

    fn has_contents_of(&self, templates: &Templates, data: &DataFiles) -> bool {
        same_contents(&self.templates, templates) && same_contents(&self.data, data)
    }
}

fn same_contents(old: &BTreeMap<String, Tracked>, new: &BTreeMap<String, Tracked>) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|((old_name, old), (name, new))| {
            old_name == name && Arc::ptr_eq(&old.content, &new.content)
        })
}

fn root((dir, shown): (&Path, &Path), layout: Layout) -> Result<PathBuf, ViewError> {
    let (missing, remedy) = layout.missing();
    let folder = |message: String| ViewError::new(ViewErrorKind::Folder, shown, message, remedy);
    let root = fs::canonicalize(dir).map_err(|error| folder(format!("{missing}: {error}")))?;
    if root.is_dir() {
        Ok(root)
    } else {
        Err(folder(format!("{missing}: this is a file, not a folder")))
    }
}

/// A page whose digest is the same is kept with its compiled templates.
fn pages(
    files: &Files<'_>,
    layout: Layout,
    settings: &Arc<Settings>,
    previous: Option<&Snapshot>,
) -> BTreeMap<String, Arc<Plan>> {
    let names = files.templates.keys();
    names
        .filter(|name| layout.is_page(name))
        .map(|name| {
            let plan = Plan::new(name, files, settings);
            let kept = previous
                .and_then(|previous| previous.pages.get(name))
                .filter(|kept| kept.template.digest() == plan.template.digest());
            (
                name.clone(),
                kept.map_or_else(|| Arc::new(plan), Arc::clone),
            )
        })
        .collect()
}
