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

/// What is to be given away names no path of this machine.
pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<()> {
    let mut cargo = build_command(workspace);
    if profile == "release" {
        cargo.arg("--release");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", places::hidden(workspace)?);
    }
    run::run(&mut cargo)
}

/// One invocation of cargo for the command and the plugins, as in the tests. The command links one of the plugins: two
/// invocations, which have crates beneath it with different features, would each replace that plugin's files by their own, and
/// find next time that it has to be built again.
fn build_command(workspace: &Workspace) -> Command {
    let mut cargo = run::cargo(&workspace.root);
    cargo.args(["build", "-p", COMMAND]);
    cargo.args(workspace.plugins().iter().flat_map(|plugin| ["-p", plugin]));
    cargo
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

    /// A workspace in which the command links a plugin and wants more of a crate that both use.
    fn linking(folder: &Path) -> Workspace {
        let member = |name: &str, rest: &str, source: &str| {
            let package = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}");
            fs::create_dir_all(folder.join(name).join("src")).unwrap();
            fs::write(folder.join(name).join("Cargo.toml"), package).unwrap();
            fs::write(folder.join(name).join("src").join(source), "fn main() {}").unwrap();
        };
        let workspace =
            "workspace = { members = [\"both\", \"dogpile-cli\", \"plugin\"], resolver = \"3\" }";
        fs::write(folder.join("Cargo.toml"), workspace).unwrap();
        member("both", "[features]\nmore = []", "lib.rs");
        member(
            "plugin",
            "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[dependencies]\nboth.path = \"../both\"",
            "lib.rs",
        );
        member(
            COMMAND,
            "[dependencies]\nplugin.path = \"../plugin\"\nboth = { path = \"../both\", features = [\"more\"] }",
            "main.rs",
        );
        Workspace::ask(run::cargo(folder)).unwrap()
    }

    #[test]
    fn a_second_time_nothing_is_built() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = linking(folder.path());
        let target = folder.path().join("target");
        let built = || {
            let mut cargo = build_command(&workspace);
            let output = cargo.arg("--target-dir").arg(&target).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        let (first, second) = (built(), built());
        assert!(first.contains("Compiling plugin"), "{first}");
        assert!(!second.contains("Compiling"), "{second}");
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
