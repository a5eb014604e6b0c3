//! The instruction ratchet: a hit must not take more instructions than it last did. Valgrind counts them.

use std::process::Command;

use anyhow::Result;

use crate::steps::Outcome;
use crate::workspace::Workspace;
use crate::{bench, run};

const VALGRIND: &str = "valgrind is missing; install it with: apt-get install valgrind";

/// Installs valgrind where that can be done without asking.
pub(crate) fn install_valgrind(_: &Workspace) -> Result<Outcome> {
    if has_valgrind() {
        return Ok(Outcome::Done);
    }
    let is_root = run::output(Command::new("id").arg("-u"))? == b"0\n";
    let has_apt = run::succeeds(Command::new("apt-get").arg("--version"));
    if is_root && has_apt && apt_get_install() && has_valgrind() {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Skipped(VALGRIND.to_owned()))
}

/// Counts the instructions of a hit, and fails if there are more than the recorded figure allows.
pub(crate) fn instructions(workspace: &Workspace) -> Result<Outcome> {
    if !workspace.root.join("benches/Cargo.toml").is_file() {
        return Ok(Outcome::Skipped(
            "this checkout has no benchmarks".to_owned(),
        ));
    }
    if !has_valgrind() {
        return Ok(Outcome::Skipped(VALGRIND.to_owned()));
    }
    let check = ["--instructions", "--check"].map(str::to_owned);
    bench::command(workspace, &check)?;
    Ok(Outcome::Done)
}

fn has_valgrind() -> bool {
    run::succeeds(Command::new("valgrind").arg("--version"))
}

/// The package lists of a fresh machine may be empty or old, so a failed first try updates them.
fn apt_get_install() -> bool {
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        run::run(&mut command).is_ok()
    };
    let install = || apt_get(&["install", "-y", "--no-install-recommends", "valgrind"]);
    install() || (apt_get(&["update"]) && install())
}
