//! Where this machine has the sources: what is given away names none of it, and is the same wherever it was built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// The flags of the compiler that the environment has, and those that give other names to our places in messages: as
/// `CARGO_ENCODED_RUSTFLAGS` has them.
pub(crate) fn hidden(workspace: &Workspace) -> Result<String> {
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut flags: Vec<String> = given.split_whitespace().map(String::from).collect();
    let root = workspace.root.display();
    flags.push(format!("--remap-path-prefix={root}=dogpile"));
    for folder in others(workspace)? {
        flags.push(format!("--remap-path-prefix={}=crates", folder.display()));
    }
    Ok(flags.join("\u{1f}"))
}

/// An error if one of the files names such a place. One as short as `/src`, which other names have in them, is not looked for.
pub(crate) fn check(workspace: &Workspace, files: &[PathBuf]) -> Result<()> {
    let mut places = others(workspace)?;
    places.insert(workspace.root.clone());
    places.retain(|place| place.components().count() > 2);
    for file in files {
        let contents = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut named = places.iter().filter_map(|place| naming(&contents, place));
        if let Some(named) = named.next() {
            bail!("{} names a place of this machine: {named}", file.display());
        }
    }
    Ok(())
}

/// The folders in which the crates of others lie, each in one of its own.
fn others(workspace: &Workspace) -> Result<BTreeSet<PathBuf>> {
    let others = workspace.others()?;
    let manifests = others
        .iter()
        .filter_map(|package| package["manifest_path"].as_str());
    let folders = manifests.filter_map(|path| Path::new(path).ancestors().nth(2));
    Ok(folders.map(PathBuf::from).collect())
}

/// The first thing in `contents` that begins with the place.
fn naming(contents: &[u8], place: &Path) -> Option<String> {
    let start = format!("{}/", place.display());
    let mut windows = contents.windows(start.len());
    let at = windows.position(|window| window == start.as_bytes())?;
    let rest = &contents[at..];
    let end = rest.iter().position(|byte| !byte.is_ascii_graphic());
    let text = &rest[..end.unwrap_or(rest.len()).min(200)];
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_named_is_told_with_what_follows() {
        let contents = b"\0/home/me/crates-2/a.rs\0at /home/me/crates/b/src/lib.rs\0";
        assert_eq!(
            naming(contents, Path::new("/home/me/crates")).as_deref(),
            Some("/home/me/crates/b/src/lib.rs")
        );
        assert_eq!(naming(contents, Path::new("/home/you")), None);
    }

    #[test]
    fn the_sources_of_this_tree_and_of_others_crates_get_other_names() {
        let workspace = Workspace::find().unwrap();
        let flags = hidden(&workspace).unwrap();
        let root = workspace.root.display();
        assert!(
            flags.contains(&format!("--remap-path-prefix={root}=dogpile")),
            "{flags}"
        );
        assert!(flags.ends_with("=crates"), "{flags}");
    }
}
