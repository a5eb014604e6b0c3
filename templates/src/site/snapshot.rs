use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::closure::{Templates, providers};
use super::error::{SiteError, SiteErrorKind};
use super::files::{Role, Tracked};
use super::listing::{Folder, Listing};
use super::paths::path_of;
use super::plan::{DataFiles, Plan};

/// All files of a site as they were at one look, and the pages made of them. Never changed: a later look that sees a
/// difference makes another, which shares what is the same.
pub(crate) struct Snapshot {
    root: PathBuf,
    folders: Vec<Folder>,
    templates: Templates,
    data: DataFiles,
    /// By template name.
    pub(crate) pages: BTreeMap<String, Arc<Plan>>,
}

impl Snapshot {
    pub(crate) fn take(dir: &Path, previous: Option<&Snapshot>) -> Result<Self, SiteError> {
        let now = SystemTime::now();
        let root = root(dir)?;
        let previous = previous.filter(|previous| previous.root == root);
        let listing = Listing::new(&root, dir, now)?;
        let mut templates = Templates::new();
        let mut data = DataFiles::new();
        for found in listing.found {
            let name = found.name.clone();
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
        let pages = match previous {
            Some(previous) if previous.has_contents_of(&templates, &data) => previous.pages.clone(),
            _ => pages(&templates, &data, previous),
        };
        Ok(Self {
            root,
            folders: listing.folders,
            templates,
            data,
            pages,
        })
    }

    /// Whether a snapshot taken now would certainly be the same.
    pub(crate) fn is_current(&self, dir: &Path) -> bool {
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

fn root(dir: &Path) -> Result<PathBuf, SiteError> {
    let folder = |message: String| {
        SiteError::new(
            SiteErrorKind::Folder,
            dir,
            message,
            "Name a folder with templates/index.html in it.",
        )
    };
    let root =
        fs::canonicalize(dir).map_err(|error| folder(format!("there is no site here: {error}")))?;
    if root.is_dir() {
        Ok(root)
    } else {
        Err(folder("a site is a folder, this is a file".to_owned()))
    }
}

/// A page whose digest is the same is kept with its compiled templates.
fn pages(
    templates: &Templates,
    data: &DataFiles,
    previous: Option<&Snapshot>,
) -> BTreeMap<String, Arc<Plan>> {
    let providers = providers(templates);
    let names = templates.keys();
    names
        .filter_map(|name| {
            let plan = Plan::new(name, path_of(name)?, templates, &providers, data);
            let kept = previous
                .and_then(|previous| previous.pages.get(name))
                .filter(|kept| kept.digest == plan.digest);
            Some((
                name.clone(),
                kept.map_or_else(|| Arc::new(plan), Arc::clone),
            ))
        })
        .collect()
}
