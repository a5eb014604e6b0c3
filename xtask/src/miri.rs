//! The parts with unsafe code, and the lock, under Miri.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::run;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// The room of unsafe code, whose modules are each to be tested: by unit tests, or by an integration
/// test of the module's name.
const UNSAFE: &str = "dogpile-plugin-api";
const MODULES: &[&str] = &["value", "adapter"];

/// The parts of a nightly toolchain that Miri is made of.
const COMPONENTS: [&str; 2] = ["miri", "rust-src"];

/// Runs the checked tests, where there is a nightly toolchain and Miri is in it or can be added.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let root = &workspace.root;
    let is_ready = || {
        run::succeeds(miri(root).arg("--version"))
            && run::run(miri(root).arg("setup").stdin(Stdio::null())).is_ok()
    };
    let has_nightly =
        || run::succeeds(Command::new("rustup").args(["run", "nightly", "rustc", "-V"]));
    let add = || run::run(&mut add_components()).is_ok();
    if let Some(why) = lacking(is_ready, has_nightly, add) {
        return Ok(Outcome::Skipped(why));
    }
    // Miri runs all threads of a test on one: two at a time take half as long.
    let (modules, lock) = thread::scope(|scope| {
        let lock = scope.spawn(|| check_lock(root));
        (check_modules(workspace), lock.join())
    });
    modules?;
    lock.map_err(|_| anyhow!("the thread that checks the lock panicked"))??;
    Ok(Outcome::Done)
}

/// The room of unsafe code.
fn check_modules(workspace: &Workspace) -> Result<()> {
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
    Ok(())
}

/// Its leases are renewed by the real clock, which does not wait for an interpreter.
fn check_lock(root: &Path) -> Result<()> {
    let tests = &["--lib", "--test", "callers"];
    run::run(&mut test(root, "dogpile-lock", tests))
}

/// What keeps Miri from running once it was tried to add what it lacks.
fn lacking(
    mut is_ready: impl FnMut() -> bool,
    has_nightly: impl FnOnce() -> bool,
    add: impl FnOnce() -> bool,
) -> Option<String> {
    if is_ready() {
        None
    } else if !has_nightly() {
        Some(
            "Miri needs a nightly toolchain; install one with: rustup toolchain install nightly"
                .to_owned(),
        )
    } else if add() && is_ready() {
        None
    } else {
        Some(format!(
            "the nightly toolchain lacks what Miri needs; add it with: {}",
            run::show(&add_components())
        ))
    }
}

fn add_components() -> Command {
    let mut rustup = Command::new("rustup");
    rustup
        .args(["component", "add", "--toolchain", "nightly"])
        .args(COMPONENTS)
        .stdin(Stdio::null());
    rustup
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What is lacking in the end where Miri is ready after what [`lacking`] adds, if it is `added`.
    fn lacks(ready: bool, has_nightly: bool, added: bool) -> (Option<String>, bool) {
        let (ready, tried) = (Cell::new(ready), Cell::new(false));
        let add = || {
            tried.set(true);
            ready.set(added);
            added
        };
        let why = lacking(|| ready.get(), || has_nightly, add);
        (why, tried.get())
    }

    #[test]
    fn what_a_nightly_toolchain_lacks_is_added_and_only_then_given_up() {
        assert_eq!(lacks(true, true, false), (None, false));
        assert_eq!(lacks(false, true, true), (None, true));
        let (why, tried) = lacks(false, true, false);
        let command = "rustup component add --toolchain nightly miri rust-src";
        assert!(why.unwrap().ends_with(command) && tried);
        let (why, tried) = lacks(false, false, true);
        assert!(why.unwrap().ends_with("rustup toolchain install nightly") && !tried);
    }
}
