//! Crates outside of the workspace, which cargo builds as it would a stranger's.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workspace's folder.
///
/// # Panics
///
/// Never: this crate lies in it.
pub fn workspace() -> &'static Path {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent().expect("this crate lies in the workspace")
}

/// Gives the crate or workspace in that folder the versions of everything that this workspace has, which are here
/// already; cargo leaves out what is not needed.
///
/// # Panics
///
/// If the file cannot be written.
pub fn share_versions(folder: &Path) {
    let lock = workspace().join("Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).unwrap();
}

/// What is appended to a crate's manifest so that it shares what the other fixtures are built of: they have no symbols.
pub const LIKE_FIXTURES: &str = "\n[profile.dev]\ndebug = false\n";

/// The one place where fixtures are built, which this test has for itself.
#[derive(Debug)]
pub struct Builder {
    target: PathBuf,
    _lock: File,
}

/// A test wants the crate built: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Builder {
    /// Waits for its turn. `tmp`: the test's `CARGO_TARGET_TMPDIR`.
    ///
    /// Sources are written after this: to cargo, crates at the same place of their workspaces are the same, and the later
    /// build is newer.
    pub fn new(tmp: &str) -> Self {
        let target = Path::new(tmp).join("../fixtures");
        fs::create_dir_all(&target).unwrap();
        let lock = File::create(target.join("tests.lock")).unwrap();
        lock.lock().unwrap();
        Self {
            target,
            _lock: lock,
        }
    }

    /// Where cargo builds, with `CARGO_TARGET_DIR`.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Runs cargo in that folder, such as `["build"]`, and gives the folder of what it made, and what it said.
    pub fn cargo(&self, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> (PathBuf, String) {
        let cargo = |network: &[&str]| -> Output {
            let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(program);
            command
                .args(arguments)
                .args(network)
                .current_dir(folder)
                .env("CARGO_TARGET_DIR", &self.target);
            command.output().unwrap()
        };
        let mut output = cargo(&["--offline"]);
        if !output.status.success() {
            // The network is for where what is here does not suffice.
            output = cargo(&[]);
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{said}");
        (self.target.join("debug"), said)
    }
}
