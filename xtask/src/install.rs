//! Putting files where a running program may have their predecessors open or mapped.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Owner may write, everybody may read: a plugin directory that others can write to is not trusted.
const DIRECTORY: u32 = 0o755;

/// Makes the directory, and those above it, if they are missing.
pub(crate) fn directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    set_mode(path, DIRECTORY)
}

/// Puts a copy of `from` at `to`, by rename: who has the old file open keeps the old contents.
/// A file that is the same already is left alone. Says whether it was changed.
pub(crate) fn file(from: &Path, to: &Path, mode: u32) -> Result<bool> {
    let contents = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == contents) {
        set_mode(to, mode)?;
        return Ok(false);
    }
    let mut name = OsString::from(".");
    name.push(to.file_name().context("a file to install has a name")?);
    name.push(format!(".{}.new", std::process::id()));
    let aside = to.with_file_name(name);
    fs::write(&aside, contents).with_context(|| format!("cannot write {}", aside.display()))?;
    set_mode(&aside, mode)?;
    fs::rename(&aside, to).with_context(|| format!("cannot replace {}", to.display()))?;
    Ok(true)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_in_use_keeps_its_contents_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        let mut in_use = fs::File::open(&to).unwrap();

        assert!(file(&from, &to, 0o644).unwrap());

        let mut read = String::new();
        in_use.read_to_string(&mut read).unwrap();
        assert_eq!(
            (read.as_str(), fs::read_to_string(&to).unwrap().as_str()),
            ("old", "new")
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left aside"
        );
    }

    #[test]
    fn a_file_that_is_the_same_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "same").unwrap();
        assert!(file(&from, &to, 0o644).unwrap());
        assert!(!file(&from, &to, 0o755).unwrap());
        assert_eq!(
            fs::metadata(&to).unwrap().permissions().mode() & 0o777,
            0o755
        );
    }
}
