//! `package`: what a machine without Rust needs, in one archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, platform};
use crate::{dist, files, install, pages, places, run, third_party};

/// The file with the digests of all others.
const SUMS: &str = "SHA256SUMS";

/// Where the README of the archive is in the repository.
const README: &str = "xtask/archive/README.md";

/// Builds, lays out what `dist` does with documentation, licences and digests, and packs it.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    match arguments {
        [] => {
            dist::build(workspace, "release")?;
            let folder = workspace.target.join("archives");
            let tree = lay_out(workspace, "release", &folder)?;
            let files = files::under(&tree)?;
            let files: Vec<PathBuf> = files.iter().map(|file| tree.join(file)).collect();
            places::check(workspace, &files)?;
            pack(&folder, &tree, last_commit(&workspace.root), "-9")
        }
        [built, folder] if built == "--built" => {
            let folder = Path::new(folder);
            let tree = lay_out(workspace, "debug", folder)?;
            pack(folder, &tree, last_commit(&workspace.root), "-1")
        }
        _ => bail!("`package` takes `--built FOLDER` or nothing"),
    }
}

/// Lays out what goes into the archive, in a folder of `folder` whose name is the archive's.
fn lay_out(workspace: &Workspace, profile: &str, folder: &Path) -> Result<PathBuf> {
    let version = workspace.version(dist::COMMAND)?;
    let tree = folder.join(format!("dogpile-{version}-{}", platform()?));
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    dist::lay_out(workspace, profile, &tree, true)?;
    // What `dist` remembers of files that may be edited is of no use there.
    fs::remove_dir_all(tree.join(".installed")).context("cannot remove .installed")?;
    let put = |from: &Path, to: &Path| -> Result<()> {
        install::directory(to.parent().context("a file is in a folder")?)?;
        install::file(from, to, 0o644).map(drop)
    };
    let root = &workspace.root;
    put(&root.join(README), &tree.join("README.md"))?;
    put(&root.join("LICENSE"), &tree.join("LICENSE"))?;
    for file in pages::all(root)? {
        put(&root.join(&file), &tree.join("documentation").join(file))?;
    }
    put(&third_party::of_rust()?, &tree.join("RUST-LICENCES.html"))?;
    let licences = tree.join("THIRD-PARTY-LICENCES");
    fs::write(&licences, third_party::text(workspace)?)
        .with_context(|| format!("cannot write {}", licences.display()))?;
    write_sums(&tree, &files::under(&tree)?, SUMS)?;
    Ok(tree)
}

/// Writes the digests of files of a folder, as `sha256sum --check` reads them there.
fn write_sums(folder: &Path, files: &[PathBuf], to: &str) -> Result<()> {
    let mut command = Command::new("sha256sum");
    let sums = run::output(command.current_dir(folder).args(files))?;
    let to = folder.join(to);
    fs::write(&to, sums).with_context(|| format!("cannot write {}", to.display()))
}

/// The same contents give the same archive: names in order, nobody's, the same modes under every umask, and all of one age,
/// in seconds since 1970. `effort` is gzip's. Its digest is written beside it.
fn pack(folder: &Path, tree: &Path, modified: u64, effort: &str) -> Result<()> {
    let name = tree.file_name().context("a tree has a name")?;
    let mut archive = name.to_owned();
    archive.push(".tar.gz");
    let mut command = Command::new("tar");
    command
        .current_dir(folder)
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", "--format=gnu"])
        .arg(format!("--mtime=@{modified}"))
        .arg(format!("--use-compress-program=gzip --no-name {effort}"))
        .arg("-cf")
        .args([&archive, name]);
    run::run(&mut command)?;
    let sums = format!("{}.sha256", archive.display());
    write_sums(folder, &[PathBuf::from(&archive)], &sums)?;
    eprintln!("packed {}", folder.join(archive).display());
    Ok(())
}

/// When that was, in seconds since 1970; 0 where there is no history.
fn last_commit(root: &Path) -> u64 {
    let mut git = Command::new("git");
    git.current_dir(root).args(["log", "-1", "--format=%ct"]);
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
        write_sums(&tree, &files::under(&tree).unwrap(), SUMS).unwrap();
        pack(folder, &tree, 1_000_000, "-1").unwrap();
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
