//! Files that are ours until somebody edits them: what was put there last is remembered, and what differs from that
//! stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{files, install};

/// Readable by everybody, writable by the owner.
const FILE: u32 = 0o644;

/// A folder with files that may be edited.
pub(crate) struct Editable<'a> {
    folder: &'a Path,
    /// Copies of what was put there last.
    record: PathBuf,
    /// Whether edits are thrown away.
    reset: bool,
    /// The files that were left as they are, by their place in the folder.
    pub(crate) kept: Vec<PathBuf>,
    /// The files that are new.
    pub(crate) new: Vec<PathBuf>,
}

impl<'a> Editable<'a> {
    pub(crate) fn new(folder: &'a Path, reset: bool) -> Self {
        Self {
            folder,
            record: folder.join(".installed"),
            reset,
            kept: Vec::new(),
            new: Vec::new(),
        }
    }

    /// Puts a copy of `from` at `name`, unless that was edited. A file that was removed is put back.
    pub(crate) fn file(&mut self, from: &Path, name: &Path) -> Result<()> {
        let (to, record) = (self.folder.join(name), self.record.join(name));
        let ours = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        let there = read(&to)?;
        let is_edited = match &there {
            None => false,
            Some(there) if *there == ours => false,
            // What nobody remembers to have put there is somebody's.
            Some(there) => read(&record)?.is_none_or(|last| last != *there),
        };
        if is_edited && !self.reset {
            self.kept.push(name.to_owned());
            return Ok(());
        }
        for path in [&to, &record] {
            let parent = path.parent().context("a file to install is in a folder")?;
            install::directory(parent)?;
        }
        if install::file(from, &to, FILE)? {
            self.new.push(name.to_owned());
        }
        install::file(from, &record, FILE)?;
        Ok(())
    }

    /// Puts copies of all files under `from` at `name`. What was put there and is not under `from` any more is removed,
    /// unless it was edited; so is everything else there if edits are thrown away.
    pub(crate) fn tree(&mut self, from: &Path, name: &Path) -> Result<()> {
        for relative in files::under(from)? {
            self.file(&from.join(&relative), &name.join(&relative))?;
        }
        let to = self.folder.join(name);
        for relative in files::under(&to)? {
            if from.join(&relative).exists() {
                continue;
            }
            let (file, record) = (to.join(&relative), self.record.join(name).join(&relative));
            let last = read(&record)?;
            if self.reset || (last.is_some() && last == read(&file)?) {
                remove(&file)?;
                remove(&record)?;
            } else if last.is_some() {
                self.kept.push(name.join(relative));
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new() -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            folders.write("from/a/page", "1");
            folders.write("from/b", "1");
            folders
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// What was kept.
        fn install(&self, reset: bool) -> Vec<PathBuf> {
            let to = self.0.path().join("to");
            let mut editable = Editable::new(&to, reset);
            let from = self.0.path().join("from");
            editable.tree(&from, Path::new("site")).unwrap();
            editable.kept
        }

        fn there(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.0.path().join("to/site").join(name)).ok()
        }
    }

    #[test]
    fn what_was_edited_stays_until_it_is_reset() {
        let folders = Folders::new();
        assert!(folders.install(false).is_empty());
        folders.write("to/site/a/page", "mine");
        folders.write("from/a/page", "2");
        folders.write("from/b", "2");
        for _ in 0..2 {
            assert_eq!(folders.install(false), [Path::new("site/a/page")]);
            assert_eq!(folders.there("a/page").as_deref(), Some("mine"));
            assert_eq!(folders.there("b").as_deref(), Some("2"));
        }
        assert!(folders.install(true).is_empty());
        assert_eq!(folders.there("a/page").as_deref(), Some("2"));
        folders.write("from/a/page", "3");
        assert!(folders.install(false).is_empty(), "it is ours again");
        assert_eq!(folders.there("a/page").as_deref(), Some("3"));
    }

    #[test]
    fn what_is_ours_no_more_goes_and_what_is_not_ours_stays() {
        let folders = Folders::new();
        folders.install(false);
        folders.write("to/site/own", "mine");
        fs::remove_file(folders.0.path().join("to/site/b")).unwrap();
        assert!(folders.install(false).is_empty());
        assert_eq!(folders.there("b").as_deref(), Some("1"), "put back");
        for name in ["from/a/page", "from/b"] {
            fs::remove_file(folders.0.path().join(name)).unwrap();
        }
        folders.write("to/site/b", "edited");
        assert_eq!(folders.install(false), [Path::new("site/b")]);
        assert_eq!(folders.there("a/page"), None);
        assert_eq!(folders.there("b").as_deref(), Some("edited"));
        assert_eq!(folders.there("own").as_deref(), Some("mine"));
        folders.install(true);
        assert_eq!((folders.there("b"), folders.there("own")), (None, None));
    }

    #[test]
    fn what_nobody_remembers_is_somebodys() {
        let folders = Folders::new();
        folders.write("to/site/b", "older");
        assert_eq!(folders.install(false), [Path::new("site/b")]);
        assert_eq!(folders.there("b").as_deref(), Some("older"));
    }
}
