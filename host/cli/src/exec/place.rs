//! The user's own region.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
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

/// Who owns the folder, a link in its place, or what it is made in, could lead us elsewhere.
fn prepare(folder: &Path) -> Result<()> {
    let above = folder.ancestors().skip(1).find(|above| above.exists());
    if !above.map_or(Ok(true), is_trusted)? {
        bail!("what it is in {ANOTHERS}");
    }
    DirBuilder::new()
        .recursive(true)
        .mode(MODE)
        .create(folder)?;
    // What was looked at is what is changed.
    let opened = File::open(folder)?;
    let found = opened.metadata()?;
    if found.uid() != geteuid().as_raw() || !is_trusted(folder)? {
        bail!("it {ANOTHERS}");
    }
    if found.mode() & 0o077 != 0 {
        opened.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(())
}

const ANOTHERS: &str = "belongs to another user; set XDG_CACHE_HOME to a folder of your own";

/// Whether it is ours or root's, and so is the link to it, if that is one.
fn is_trusted(path: &Path) -> Result<bool> {
    let owners = [fs::symlink_metadata(path)?.uid(), fs::metadata(path)?.uid()];
    Ok(owners
        .iter()
        .all(|owner| [0, geteuid().as_raw()].contains(owner)))
}
