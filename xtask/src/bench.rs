//! `bench`: the benchmarks, which are a workspace of their own.

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::Workspace;

/// What is measured, loaded as a plugin.
const BACKEND: &str = "dogpile-plugin-memory";

/// Where the benchmarks find it.
const PLUGINS: &str = "DOGPILE_BENCH_PLUGINS";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let benches = workspace.root.join("benches");
    if !benches.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml: this checkout has no benchmarks",
            benches.display()
        );
    }
    run::run(run::cargo(&workspace.root).args(["build", "--release", "--package", BACKEND]))?;
    run::run(
        run::cargo(&benches)
            .env(PLUGINS, workspace.target.join("release"))
            .args(["run", "--release", "--"])
            .args(arguments),
    )
}
