//! `ci`: what is checked before a change is taken.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::steps::{Outcome, Step, run_all};
use crate::workspace::Workspace;
use crate::{dependencies, run};

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "dependencies",
        run: dependencies::check,
    },
    Step {
        name: "cargo-deny",
        run: cargo_deny,
    },
    Step {
        name: "packages",
        run: packages,
    },
    Step {
        name: "test",
        run: test,
    },
];

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    run_all(workspace, STEPS, arguments)
}

fn format(workspace: &Workspace) -> Result<Outcome> {
    let benches = workspace.root.join("benches");
    let folders: [PathBuf; 2] = [workspace.root.clone(), benches];
    for folder in folders
        .iter()
        .filter(|folder| folder.join("Cargo.toml").is_file())
    {
        run::run(run::cargo(folder).args(["fmt", "--all", "--check"]))?;
    }
    Ok(Outcome::Done)
}

fn clippy(workspace: &Workspace) -> Result<Outcome> {
    // Denied behind `--`, not by RUSTFLAGS, which would have everything built once more.
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run::run(run::cargo(&workspace.root).args(arguments))?;
    // The tests of this crate turn on all of its features, so that nothing above sees what one of them lacks alone.
    for features in ["", "tera", "minijinja", "askama"] {
        let alone = ["clippy", "-p", "dogpile-templates", "--no-default-features"];
        let denied = ["--features", features, "--", "-D", "warnings"];
        run::run(run::cargo(&workspace.root).args(alone).args(denied))?;
    }
    // The tests turn this one on as well.
    for features in ["", "opentelemetry"] {
        let alone = ["clippy", "-p", "dogpile", "--features", features];
        run::run(
            run::cargo(&workspace.root)
                .args(alone)
                .args(["--", "-D", "warnings"]),
        )?;
    }
    Ok(Outcome::Done)
}

fn docs(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = run::cargo(&workspace.root);
    run::run(
        cargo
            .env("RUSTDOCFLAGS", "-D warnings")
            .args(["doc", "--workspace", "--no-deps"]),
    )?;
    Ok(Outcome::Done)
}

fn cargo_deny(workspace: &Workspace) -> Result<Outcome> {
    if !run::succeeds(run::cargo(&workspace.root).args(["deny", "--version"])) {
        let why = "cargo-deny is not installed; the step before has checked licences and versions";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    run::run(run::cargo(&workspace.root).args(["deny", "check", "licenses", "bans", "sources"]))?;
    Ok(Outcome::Done)
}

/// What `cargo publish` asks of each crate: that it can be packed, and that it builds of what is in its package.
fn packages(workspace: &Workspace) -> Result<Outcome> {
    // One place for all crates: by itself, cargo builds each with all that it depends on in a place of its own. Not the
    // usual one, where the plugins would be replaced by those of the packages.
    let mut cargo = run::cargo(&workspace.root);
    cargo.env("CARGO_TARGET_DIR", workspace.target.join("publish"));
    // Whether all is committed is asked by those who publish.
    run::run(cargo.args(["publish", "--workspace", "--dry-run", "--allow-dirty"]))?;
    Ok(Outcome::Done)
}

/// The README's test command, word for word.
fn test(workspace: &Workspace) -> Result<Outcome> {
    if run::run(run::cargo(&workspace.root).args(["xtask", "test"])).is_err() {
        bail!("`cargo xtask test` failed; its own summary is above");
    }
    Ok(Outcome::Done)
}
