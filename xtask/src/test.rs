//! `test`: everything that can fail, with the plugins built first.

use std::process::Command;

use anyhow::{Result, bail};

use crate::steps::{Outcome, Step, run_all};
use crate::workspace::{Workspace, library};
use crate::{miri, ratchet, run, tools};

/// Where the tests find the plugins' libraries, and the `dogpile` binary: cargo tells a test
/// nothing about the libraries of other packages.
const PLUGINS: &str = "DOGPILE_TEST_PLUGINS";

/// Has the tests that count go on to their full counts, of which they otherwise do a part.
const FULL: &str = "DOGPILE_TEST_FULL";

/// An example that has not ended by then hangs. In seconds.
const EXAMPLE_LIMIT: &str = "120";

const STEPS: &[Step] = &[
    Step {
        name: "tools",
        run: tools::install,
    },
    Step {
        name: "build",
        run: build,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "doc-tests",
        run: doc_tests,
    },
    Step {
        name: "model-checks",
        run: model_checks,
    },
    Step {
        name: "miri",
        run: miri::check,
    },
    Step {
        name: "examples",
        run: examples,
    },
    Step {
        name: "instructions",
        run: ratchet::instructions,
    },
];

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    run_all(workspace, STEPS, arguments)
}

/// `soak`: the tests alone, with their full counts.
pub(crate) fn soak(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    const STEPS: &[Step] = &[
        Step {
            name: "build",
            run: build,
        },
        Step {
            name: "tests",
            run: full_tests,
        },
    ];
    run_all(workspace, STEPS, arguments)
}

/// One build for plugins, binaries, tests and examples alike, so that the later steps build nothing
/// anew.
fn build(workspace: &Workspace) -> Result<Outcome> {
    run::run(run::cargo(&workspace.root).args(["build", "--workspace", "--all-targets"]))?;
    let built = workspace.target.join("debug");
    for plugin in workspace.plugins() {
        let path = built.join(library(&plugin));
        if !path.is_file() {
            bail!("cargo built {plugin}, but there is no {}", path.display());
        }
    }
    Ok(Outcome::Done)
}

fn tests(workspace: &Workspace) -> Result<Outcome> {
    run::run(&mut test_command(workspace, "default"))?;
    Ok(Outcome::Done)
}

fn full_tests(workspace: &Workspace) -> Result<Outcome> {
    run::run(test_command(workspace, "soak").env(FULL, "1"))?;
    Ok(Outcome::Done)
}

/// All tests, with nextest by one of its profiles in `.config/nextest.toml` where it is installed.
fn test_command(workspace: &Workspace, profile: &str) -> Command {
    let mut cargo = with_plugins(workspace, run::cargo(&workspace.root));
    if run::succeeds(run::cargo(&workspace.root).args(["nextest", "--version"])) {
        cargo.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        cargo.args(["--profile", profile]);
    } else {
        // Libraries, binaries and integration tests; the documentation's have a step of their own.
        cargo.args(["test", "--workspace", "--tests", "--no-fail-fast"]);
    }
    cargo
}

fn doc_tests(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = with_plugins(workspace, run::cargo(&workspace.root));
    run::run(cargo.args(["test", "--workspace", "--doc"]))?;
    Ok(Outcome::Done)
}

/// The output is shown: it holds the seeds with which a failure can be repeated. Optimised, they take a fifth of the time.
fn model_checks(workspace: &Workspace) -> Result<Outcome> {
    run::run(run::cargo(&workspace.root).args([
        "test",
        "--config",
        "profile.dev.opt-level=2",
        "-p",
        "dogpile-lock",
        "--features",
        "model-check",
        "--test",
        "model",
        "--",
        "--nocapture",
    ]))?;
    Ok(Outcome::Done)
}

/// The executables are started directly: `cargo run` would build them again, with other features.
fn examples(workspace: &Workspace) -> Result<Outcome> {
    for example in workspace.examples() {
        let path = workspace.target.join("debug/examples").join(&example.name);
        if !example.missing_features.is_empty() {
            eprintln!(
                "skipped: {} needs {}",
                example.name,
                example.missing_features.join(", ")
            );
            continue;
        }
        let mut command = with_plugins(workspace, Command::new("timeout"));
        run::run(
            command
                .arg(EXAMPLE_LIMIT)
                .arg(path)
                .current_dir(&workspace.root),
        )?;
    }
    Ok(Outcome::Done)
}

fn with_plugins(workspace: &Workspace, command: Command) -> Command {
    let mut command = run::trusting(command);
    command.env(PLUGINS, workspace.target.join("debug"));
    command
}
