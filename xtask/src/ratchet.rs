//! The instruction ratchet: a hit must not take more instructions than it last did. Valgrind counts them.

use anyhow::Result;

use crate::bench;
use crate::steps::Outcome;
use crate::tools::VALGRIND;
use crate::workspace::Workspace;

/// Counts the instructions of a hit, and fails if there are more than the recorded figure allows.
pub(crate) fn instructions(workspace: &Workspace) -> Result<Outcome> {
    if !workspace.root.join("benches/Cargo.toml").is_file() {
        return Ok(Outcome::Skipped(
            "this checkout has no benchmarks".to_owned(),
        ));
    }
    if !VALGRIND.is_there() {
        return Ok(Outcome::Skipped(VALGRIND.missing()));
    }
    let check = ["--instructions", "--check"].map(str::to_owned);
    bench::command(workspace, &check)?;
    Ok(Outcome::Done)
}
