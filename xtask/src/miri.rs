//! The parts with unsafe code, and the lock, under Miri.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// The room of unsafe code, whose modules are each to be tested: by unit tests, or by an integration
/// test of the module's name.
const UNSAFE: &str = "dogpile-plugin-api";
const MODULES: &[&str] = &["value", "adapter"];

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
    let root = &workspace.root;
    for module in MODULES {
        let unit_tests: &[&str] = &["--lib", "--", &format!("{module}::")];
        let integration_test: &[&str] = &["--test", module];
        let mut found = false;
        if any_listed(test(root, UNSAFE, unit_tests).arg("--list"))? {
            found = true;
            run::run(&mut test(root, UNSAFE, unit_tests))?;
        }
        if workspace.tests(UNSAFE).any(|name| name == *module) {
            found = true;
            run::run(&mut test(root, UNSAFE, integration_test))?;
        }
        if !found {
            bail!("{UNSAFE} has neither a unit test in `{module}` nor a test file of that name");
        }
    }
    run::run(&mut test(root, "dogpile-lock", &["--lib"]))?;
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

fn test(root: &Path, package: &str, arguments: &[&str]) -> Command {
    let mut command = miri(root);
    command.args(["test", "-p", package]).args(arguments);
    command
}

fn any_listed(command: &mut Command) -> Result<bool> {
    let listed = String::from_utf8(run::output(command)?).context("the list of tests")?;
    Ok(listed.lines().any(|line| line.ends_with(": test")))
}
