//! Commands that keep what another command printed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where xtask built it.
const DOGPILE: &str = "DOGPILE_BENCH_COMMAND";

/// Where bkt is, if it is not in the path.
const BKT: &str = "DOGPILE_BENCH_BKT";

/// As long as anything here takes.
const FRESH: &str = "1h";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Dogpile,
    Bkt,
    /// The command itself, kept by nobody.
    Plain,
}

impl Contender {
    pub(super) const ALL: [Self; 3] = [Self::Dogpile, Self::Bkt, Self::Plain];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dogpile => "dogpile exec",
            Self::Bkt => "bkt",
            Self::Plain => "the command itself",
        }
    }

    /// A call for a script, with a cache in that folder.
    pub(super) fn call(self, folder: &Path, script: &str) -> Command {
        let mut command = match self {
            Self::Dogpile => {
                let mut command = Command::new(program(DOGPILE, "dogpile"));
                command.env("XDG_CACHE_HOME", folder);
                command.args(["exec", "--expiration-time", FRESH, "--", "sh", "-c", script]);
                command
            }
            Self::Bkt => {
                let mut command = Command::new(program(BKT, "bkt"));
                command.arg("--cache-dir").arg(folder);
                command.args(["--ttl", FRESH, "--", "sh", "-c", script]);
                command
            }
            Self::Plain => {
                let mut command = Command::new("sh");
                command.args(["-c", script]);
                command
            }
        };
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    /// What it says of its version; none if it is not here.
    pub(super) fn version(self) -> Option<String> {
        let program = match self {
            Self::Dogpile => program(DOGPILE, "dogpile"),
            Self::Bkt => program(BKT, "bkt"),
            Self::Plain => return Some("sh".to_owned()),
        };
        let output = Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim_end().to_owned())
    }
}

fn program(variable: &str, name: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| name.into(), PathBuf::from)
}
