//! What lies in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// All files, also those in folders of it: relative to it, sorted; none if it is not there.
pub(crate) fn under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries =
        entries.with_context(|| format!("cannot read the directory {}", folder.display()))?;
    for entry in entries {
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            let inner = under(&entry.path())?;
            found.extend(inner.into_iter().map(|file| name.join(file)));
        } else {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
