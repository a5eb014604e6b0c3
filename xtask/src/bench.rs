//! `bench`: the benchmarks, which are a workspace of their own.

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::Workspace;

/// The backend that most benchmarks load as a plugin.
const BACKEND: &str = "dogpile-plugin-memory";

/// What else a benchmark wants built.
const WANTED: [(&str, &str); 3] = [
    ("--redis", "dogpile-plugin-redis"),
    ("--memcached", "dogpile-plugin-memcached"),
    ("--exec", COMMAND),
];

/// Where the benchmarks find the plugins.
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
    let is_asked = |option: &str| {
        let mut arguments = arguments.iter();
        arguments.any(|argument| argument == option || argument == "--all")
    };
    let wanted = WANTED.iter().filter(|(option, _)| is_asked(option));
    let mut build = run::cargo(&workspace.root);
    build.args(["build", "--release", "--package", BACKEND]);
    build.args(wanted.flat_map(|(_, package)| ["--package", package]));
    run::run(&mut build)?;
    run::run(
        run::cargo(&benches)
            .env(DOGPILE, built.join("dogpile"))
            .env(PLUGINS, built)
            .args(["run", "--release", "--"])
            .args(arguments),
    )
}
