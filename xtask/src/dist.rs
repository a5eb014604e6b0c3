//! `dist`: the host, its plugins, the demo manifest and the demo site, in `target/dist`; and what shells complete by, and the
//! manual.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::edited::Editable;
use crate::workspace::{Workspace, library};
use crate::{install, places, run};

/// The package of the command.
pub(crate) const COMMAND: &str = "dogpile-cli";

/// Throws away what was edited in the folder.
pub(crate) const RESET: &str = "--reset";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (mut profile, mut reset) = ("release", false);
    for argument in arguments {
        match argument.as_str() {
            "--debug" => profile = "debug",
            RESET => reset = true,
            _ => bail!("`dist` takes `--debug`, `{RESET}` or nothing"),
        }
    }
    let dist = folder(workspace);
    make(workspace, profile, &dist, reset)?;
    eprintln!("laid out in {}", dist.display());
    Ok(())
}

/// Where it is laid out to be run and edited.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("dist")
}

/// Builds in `release` or `debug`, and lays out in `dist`. What was edited there stays, unless `reset`.
pub(crate) fn make(workspace: &Workspace, profile: &str, dist: &Path, reset: bool) -> Result<()> {
    build(workspace, profile)?;
    lay_out(workspace, profile, dist, reset)
}

/// One invocation of cargo for the command and one for the plugins: features which the command asks of a crate that both
/// use do not leak into the plugins. What is to be given away names no path of this machine.
pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<()> {
    for packages in [vec![COMMAND.to_owned()], workspace.plugins()] {
        let mut cargo = run::cargo(&workspace.root);
        cargo.arg("build");
        if profile == "release" {
            cargo.arg("--release");
            cargo.env("CARGO_ENCODED_RUSTFLAGS", places::hidden(workspace)?);
        }
        run::run(cargo.args(packages.iter().flat_map(|package| ["-p", package])))?;
    }
    Ok(())
}

/// Lays out in `dist` what was built in `release` or `debug`.
pub(crate) fn lay_out(
    workspace: &Workspace,
    profile: &str,
    dist: &Path,
    reset: bool,
) -> Result<()> {
    put(
        &workspace.target.join(profile),
        &workspace.root.join("templates"),
        &workspace.plugins(),
        dist,
        reset,
    )?;
    for_shells(dist)
}

/// What shells complete the command by, and its manual, as it prints them itself.
fn for_shells(dist: &Path) -> Result<()> {
    let command = dist.join("dogpile");
    let completions = dist.join("completions");
    install::directory(&completions)?;
    for (shell, name) in [
        ("bash", "dogpile"),
        ("zsh", "_dogpile"),
        ("fish", "dogpile.fish"),
        ("elvish", "dogpile.elv"),
        ("powershell", "_dogpile.ps1"),
    ] {
        let mut printing = Command::new(&command);
        let script = run::output(printing.args(["completions", shell]))?;
        let path = completions.join(name);
        fs::write(&path, script).with_context(|| path.display().to_string())?;
    }
    let man = dist.join("man/man1");
    run::run(Command::new(&command).args(["man", "--dir"]).arg(man))
}

/// Everything is replaced by rename: a host may be running from this folder.
fn put(built: &Path, templates: &Path, plugins: &[String], dist: &Path, reset: bool) -> Result<()> {
    install::directory(dist)?;
    install::directory(&dist.join("plugins"))?;
    let mut changed = Vec::new();
    let mut put = |from: PathBuf, to: String, mode: u32| -> Result<()> {
        if install::file(&from, &dist.join(&to), mode)? {
            changed.push(to);
        }
        Ok(())
    };
    for plugin in plugins {
        let library = library(plugin);
        put(built.join(&library), format!("plugins/{library}"), 0o755)?;
    }
    put(built.join("dogpile"), "dogpile".to_owned(), 0o755)?;
    let mut editable = Editable::new(dist, reset);
    editable.file(&templates.join("dogpile.toml"), Path::new("dogpile.toml"))?;
    editable.tree(&templates.join("site"), Path::new("site"))?;
    for name in changed {
        eprintln!("new: {name}");
    }
    for name in editable.new {
        eprintln!("new: {}", name.display());
    }
    for name in &editable.kept {
        eprintln!("kept your edited {}", name.display());
    }
    if !editable.kept.is_empty() {
        eprintln!("`cargo xtask dist {RESET}` puts ours back");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Of a command that prints what it was asked for.
    #[test]
    fn shells_and_man_get_what_the_command_prints() {
        let folder = tempfile::tempdir().unwrap();
        let command = folder.path().join("dogpile");
        let script = "#!/bin/sh\n[ $1 = man ] && mkdir -p \"$3\" && exec touch \"$3/dogpile.1\"\necho \"$@\"\n";
        fs::write(&command, script).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        for_shells(folder.path()).unwrap();
        let zsh = fs::read_to_string(folder.path().join("completions/_dogpile")).unwrap();
        assert_eq!(zsh, "completions zsh\n");
        assert!(folder.path().join("man/man1/dogpile.1").exists());
    }

    fn sources(folder: &Path) -> (PathBuf, PathBuf) {
        let (built, templates) = (folder.join("release"), folder.join("templates"));
        fs::create_dir_all(&built).unwrap();
        fs::create_dir_all(templates.join("site")).unwrap();
        fs::write(built.join("dogpile"), "program").unwrap();
        fs::write(built.join("libdogpile_plugin_null.so"), "library").unwrap();
        fs::write(templates.join("dogpile.toml"), "version = 1").unwrap();
        fs::write(templates.join("site/index.html"), "page").unwrap();
        (built, templates)
    }

    #[test]
    fn the_folder_holds_what_the_manual_says() {
        let folder = tempfile::tempdir().unwrap();
        let (built, templates) = sources(folder.path());
        let dist = folder.path().join("dist");
        put(
            &built,
            &templates,
            &["dogpile-plugin-null".to_owned()],
            &dist,
            false,
        )
        .unwrap();
        for name in [
            "dogpile",
            "dogpile.toml",
            "plugins/libdogpile_plugin_null.so",
            "site/index.html",
        ] {
            assert!(dist.join(name).is_file(), "{name}");
        }
    }

    #[test]
    fn a_plugin_that_was_not_built_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (built, templates) = sources(folder.path());
        let plugins = ["dogpile-plugin-absent".to_owned()];
        let error = put(
            &built,
            &templates,
            &plugins,
            &folder.path().join("dist"),
            false,
        )
        .unwrap_err();
        assert!(
            format!("{error:#}").contains("libdogpile_plugin_absent.so"),
            "{error:#}"
        );
    }
}
