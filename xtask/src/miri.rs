//! The parts with unsafe code, and the lock, under Miri.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// Crate, and which of its unit tests: by module, or all of them.
const CHECKED: &[(&str, &[&str])] = &[
    ("dogpile-plugin-api", &["value::", "adapter::"]),
    ("dogpile-lock", &[]),
];

/// Runs the checked tests, where there is a nightly toolchain with Miri.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if !run::succeeds(miri(&workspace.root).arg("--version")) {
        let why = "Miri needs a nightly toolchain with miri";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    if run::run(miri(&workspace.root).arg("setup").stdin(Stdio::null())).is_err() {
        let why = "Miri has no standard library; add it with: \
                   rustup component add rust-src --toolchain nightly";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    for (package, filters) in CHECKED {
        let test = |arguments: &[&str]| {
            let mut command = miri(&workspace.root);
            command
                .args(["test", "-p", package, "--lib", "--"])
                .args(*filters)
                .args(arguments);
            command
        };
        if !any_listed(&mut test(&["--list"]))? {
            bail!("no test of {package} is named {filters:?}: nothing would be checked");
        }
        run::run(&mut test(&[]))?;
    }
    Ok(Outcome::Done)
}

/// Clocks are real: the code under test reads them.
fn miri(root: &Path) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "miri"])
        .current_dir(root);
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    // Those that our own cargo set name the stable toolchain.
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("LD_LIBRARY_PATH");
    command
}

fn any_listed(command: &mut Command) -> Result<bool> {
    let listed = String::from_utf8(run::output(command)?).context("the list of tests")?;
    Ok(listed.lines().any(|line| line.ends_with(": test")))
}
