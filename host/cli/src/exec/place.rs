//! The user's own region.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

/// For the user alone: outputs may be secret, and who could write there could have anything printed.
const MODE: u32 = 0o700;

/// The region's file, in its folder, which is made.
pub(super) fn file() -> Result<PathBuf> {
    let folder = folder()?;
    prepare(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder.join("exec.dbm"))
}

/// `$XDG_CACHE_HOME/dogpile`. A relative `XDG_CACHE_HOME` is to be ignored, says its specification.
fn folder() -> Result<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let caches = caches.context("neither XDG_CACHE_HOME nor HOME is set to an absolute path")?;
    Ok(caches.join("dogpile"))
}

fn prepare(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(MODE)
        .create(folder)?;
    let found = fs::metadata(folder)?;
    if found.uid() != geteuid().as_raw() {
        bail!("it belongs to another user; set XDG_CACHE_HOME to a folder of your own");
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(MODE))?;
    }
    Ok(())
}
