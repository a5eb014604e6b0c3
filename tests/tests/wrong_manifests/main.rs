//! Wrong manifests as a host sees them that loads the plugins, and all of them saved over a good one.
#![forbid(unsafe_code)]

mod live;
mod plugins;

use std::fs;
use std::path::{Path, PathBuf};

use dogpile_tests::plugin_file;
use tempfile::TempDir;

/// The fixtures of that folder, in the order of their names. None that is no manifest.
pub(crate) fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    found.sort();
    found
}

/// A folder for a manifest, with the first-party plugins in `plugins`.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugins = plugin_file("memory");
    let link = folder.path().join("plugins");
    std::os::unix::fs::symlink(plugins.parent().unwrap(), link).unwrap();
    folder
}
