//! `package`: what a machine without Rust needs, in one archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{dist, install, run, third_party};

/// The file with the digests of all others.
const SUMS: &str = "SHA256SUMS";

/// Builds, lays out what `dist` does with the licences and digests, and packs it.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let profile = match arguments {
        [] => "release",
        [debug] if debug == "--debug" => "debug",
        _ => bail!("`package` takes `--debug` or nothing"),
    };
    let name = format!(
        "dogpile-{}-{}",
        workspace.version("dogpile-cli")?,
        target()?
    );
    let folder = workspace.target.join("archives");
    let tree = folder.join(&name);
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    dist::make(workspace, profile, &tree, true)?;
    // What `dist` remembers of files that may be edited is of no use there.
    fs::remove_dir_all(tree.join(".installed")).context("cannot remove .installed")?;
    for file in [
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "docs/dogpile.service",
    ] {
        let from = workspace.root.join(file);
        let name = from.file_name().context("a file has a name")?;
        install::file(&from, &tree.join(name), 0o644)?;
    }
    let text = third_party::text(workspace)?;
    let licences = tree.join("THIRD-PARTY-LICENCES");
    fs::write(&licences, text).with_context(|| format!("cannot write {}", licences.display()))?;
    write_sums(&tree, &files(&tree)?, SUMS)?;
    let archive = format!("{name}.tar.gz");
    pack(&folder, &name, &archive)?;
    write_sums(
        &folder,
        &[archive.clone().into()],
        &format!("{archive}.sha256"),
    )?;
    eprintln!("packed {}", folder.join(archive).display());
    Ok(())
}

/// The platform for which this machine builds.
fn target() -> Result<String> {
    let told = run::output(Command::new("rustc").arg("-vV"))?;
    let told = String::from_utf8(told)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV tells no host")?.to_owned())
}

/// Writes the digests of files of a folder, as `sha256sum --check` reads them there.
fn write_sums(folder: &Path, files: &[PathBuf], to: &str) -> Result<()> {
    let mut command = Command::new("sha256sum");
    let sums = run::output(command.current_dir(folder).args(files))?;
    let to = folder.join(to);
    fs::write(&to, sums).with_context(|| format!("cannot write {}", to.display()))
}

/// All files of a folder, relative to it and in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(inner) = open.pop() {
        let entries =
            fs::read_dir(&inner).with_context(|| format!("cannot read {}", inner.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The same contents give the same archive: names in order, nobody's, and as old as the last commit.
fn pack(folder: &Path, name: &str, archive: &str) -> Result<()> {
    let mut command = Command::new("tar");
    command
        .current_dir(folder)
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mtime", &format!("@{}", last_commit(folder))])
        .args([
            "--use-compress-program=gzip --no-name -9",
            "-cf",
            archive,
            name,
        ]);
    run::run(&mut command)
}

/// When it was, in seconds since 1970; 0 where there is no history.
fn last_commit(folder: &Path) -> u64 {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["log", "-1", "--format=%ct"]);
    let told = git.output().ok().map(|output| output.stdout);
    let told = told.and_then(|told| String::from_utf8(told).ok());
    told.and_then(|told| told.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(folder: &Path) -> Vec<u8> {
        fs::create_dir_all(folder.join("dogpile/plugins")).unwrap();
        fs::write(folder.join("dogpile/dogpile"), "program").unwrap();
        fs::write(folder.join("dogpile/plugins/a.so"), "library").unwrap();
        let tree = folder.join("dogpile");
        write_sums(&tree, &files(&tree).unwrap(), SUMS).unwrap();
        pack(folder, "dogpile", "dogpile.tar.gz").unwrap();
        fs::read(folder.join("dogpile.tar.gz")).unwrap()
    }

    #[test]
    fn the_same_files_are_the_same_archive() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(sealed(one.path()), sealed(other.path()));
    }

    #[test]
    fn a_file_that_was_changed_after_packing_is_told_by_the_digests() {
        let folder = tempfile::tempdir().unwrap();
        sealed(folder.path());
        let check = || {
            let mut check = Command::new("sha256sum");
            check.current_dir(folder.path().join("dogpile"));
            run::succeeds(check.args(["--check", "--strict", SUMS]))
        };
        let sums = fs::read_to_string(folder.path().join("dogpile").join(SUMS)).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
        assert!(check());
        fs::write(folder.path().join("dogpile/plugins/a.so"), "another").unwrap();
        assert!(!check());
    }
}
