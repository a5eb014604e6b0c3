//! What `docs/for-operators.md` names is there and right: the unit of systemd, the files for Kubernetes, and what it says of
//! each alert, error code and message of the log. Its commands are run by `tests/guides`.

#![forbid(unsafe_code)]

mod kubernetes;
mod night;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};

use dogpile_tests::plugin_file;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the project")
}

fn read(file: &str) -> String {
    fs::read_to_string(project().join(file)).expect(file)
}

/// The folder of the built plugins, where the command is too.
fn built() -> PathBuf {
    let plugin = plugin_file("memory");
    plugin.parent().expect("it lies in a folder").to_owned()
}

/// The command `dogpile`.
fn command() -> PathBuf {
    let command = built().join("dogpile");
    assert!(command.is_file(), "run `cargo build -p dogpile-cli`");
    command
}
