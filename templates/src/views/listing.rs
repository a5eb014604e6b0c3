use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::{ViewError, ViewErrorKind};
use super::files::{Found, Role};
use super::layout::Layout;
use super::paths::is_plain;
use super::stamp::Stamp;
use super::watch::Watch;

/// How deep folders of templates may be nested.
const MAX_DEPTH: usize = 16;

/// All templates and data files of a site, and the folders in which another could appear.
pub(crate) struct Listing {
    pub(crate) folders: Vec<Folder>,
    pub(crate) found: Vec<Found>,
}

pub(crate) struct Folder {
    path: PathBuf,
    /// `None`: something in it can change without the folder changing, so it is listed at each look.
    stamp: Option<Stamp>,
}

impl Folder {
    /// Whether the folder certainly lists what it listed. At most one `stat`.
    pub(crate) fn is_current(&self, now: SystemTime) -> bool {
        self.stamp.as_ref().is_some_and(|stamp| {
            fs::symlink_metadata(&self.path)
                .is_ok_and(|metadata| stamp.proves_unchanged(&Stamp::new(&metadata, now)))
        })
    }
}

impl Listing {
    /// Lists the folder at `root`, an absolute path without symbolic links, which a person spells `shown`. Each folder is
    /// watched before it is listed.
    pub(crate) fn new(
        (root, shown): (&Path, &Path),
        layout: Layout,
        now: SystemTime,
        watch: &mut Watch,
    ) -> Result<Self, ViewError> {
        let mut walk = Walk {
            root,
            layout,
            now,
            watch,
            listing: Self {
                folders: Vec::new(),
                found: Vec::new(),
            },
        };
        let (templates, shown_templates) = (layout.templates(root), layout.templates(shown));
        if templates != root {
            walk.note(root).map_err(|error| unreadable(shown, &error))?;
        }
        if !is_folder(&templates) {
            return Err(ViewError::new(
                ViewErrorKind::Folder,
                &shown_templates,
                "a site needs this folder, and it is not there (a symbolic link does not count)",
                "Create it with an index.html in it, or name another folder as the site.",
            ));
        }
        walk.folder(Role::Template, &templates, &shown_templates, "", 0)?;
        if let (Some(data), Some(shown)) = (layout.data(root), layout.data(shown))
            && is_folder(&data)
        {
            walk.folder(Role::Data, &data, &shown, "", 0)?;
        }
        Ok(walk.listing)
    }
}

/// A template is named with its ending, as templates refer to it; data without.
fn name_of(layout: Layout, role: Role, name: String) -> Option<String> {
    match role {
        Role::Template => layout.is_template(&name).then_some(name),
        Role::Data => name.strip_suffix(".json").map(str::to_owned),
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn unreadable(shown: &Path, error: &io::Error) -> ViewError {
    ViewError::new(
        ViewErrorKind::Folder,
        shown,
        format!("this folder cannot be listed: {error}"),
        "Make it readable for this user; the next request tries again.",
    )
}

struct Walk<'a> {
    root: &'a Path,
    layout: Layout,
    now: SystemTime,
    watch: &'a mut Watch,
    listing: Listing,
}

impl Walk<'_> {
    /// Watches and stamps a folder, before it is listed: what appears meanwhile shows as a difference at the next look.
    fn note(&mut self, path: &Path) -> io::Result<usize> {
        self.watch.folder(path);
        let metadata = fs::symlink_metadata(path)?;
        self.listing.folders.push(Folder {
            path: path.to_owned(),
            stamp: Some(Stamp::new(&metadata, self.now)),
        });
        Ok(self.listing.folders.len() - 1)
    }

    fn folder(
        &mut self,
        role: Role,
        path: &Path,
        shown: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), ViewError> {
        let listed = self.note(path).and_then(|index| {
            let entries: Vec<DirEntry> = fs::read_dir(path)?.collect::<io::Result<_>>()?;
            Ok((index, entries))
        });
        let (index, entries) = listed.map_err(|error| unreadable(shown, &error))?;
        for entry in entries {
            let file_name = entry.file_name();
            // What cannot stand in a request path or in an include is not part of the site.
            let Some(file_name) = file_name.to_str().filter(|name| is_plain(name)) else {
                continue;
            };
            let Ok(kind) = entry.file_type() else {
                self.is_uncertain(index);
                continue;
            };
            let name = format!("{prefix}{file_name}");
            let (path, shown) = (entry.path(), shown.join(file_name));
            if kind.is_dir() {
                if role == Role::Template && depth < MAX_DEPTH {
                    self.folder(role, &path, &shown, &format!("{name}/"), depth + 1)?;
                }
                continue;
            }
            let Some(name) = name_of(self.layout, role, name) else {
                continue;
            };
            let mut target = None;
            if kind.is_symlink() {
                target = self.target(&path);
                if target.is_none() {
                    self.is_uncertain(index);
                    continue;
                }
            } else if !kind.is_file() {
                continue;
            }
            self.listing.found.push(Found {
                role,
                name,
                path,
                shown,
                target,
            });
        }
        Ok(())
    }

    fn is_uncertain(&mut self, index: usize) {
        self.listing.folders[index].stamp = None;
        self.watch.give_up();
    }

    /// Where a symbolic link leads, if that is a file within the site.
    fn target(&mut self, link: &Path) -> Option<PathBuf> {
        self.watch.way(link);
        let target = fs::canonicalize(link).ok()?;
        let inside = target.starts_with(self.root) && fs::metadata(&target).ok()?.is_file();
        inside.then_some(target)
    }
}
