//! `bench`: the benchmarks, which are a workspace of their own.

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::Workspace;

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let benches = workspace.root.join("benches");
    if !benches.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml: this checkout has no benchmarks",
            benches.display()
        );
    }
    run::run(
        run::cargo(&benches)
            .args(["run", "--release", "--"])
            .args(arguments),
    )
}
