//! `bench`: the benchmarks, which are a workspace of their own.

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::Workspace;

/// What is measured, loaded as a plugin.
const BACKEND: &str = "dogpile-plugin-memory";

/// Where the benchmarks find it.
const PLUGINS: &str = "DOGPILE_BENCH_PLUGINS";

/// What `--exec` measures.
const COMMAND: &str = "dogpile-cli";

/// Where the benchmarks find its binary.
const DOGPILE: &str = "DOGPILE_BENCH_COMMAND";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let benches = workspace.root.join("benches");
    if !benches.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml: this checkout has no benchmarks",
            benches.display()
        );
    }
    let built = workspace.target.join("release");
    run::run(run::cargo(&workspace.root).args(["build", "--release", "--package", BACKEND]))?;
    if arguments
        .iter()
        .any(|argument| argument == "--exec" || argument == "--all")
    {
        run::run(run::cargo(&workspace.root).args(["build", "--release", "--package", COMMAND]))?;
    }
    run::run(
        run::cargo(&benches)
            .env(DOGPILE, built.join("dogpile"))
            .env(PLUGINS, built)
            .args(["run", "--release", "--"])
            .args(arguments),
    )
}
