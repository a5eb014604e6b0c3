//! Programs of the system that steps want, installed where that can be done without asking.

use std::process::Command;

use anyhow::Result;

use crate::run;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// A program, which is in the package of the same name.
pub(crate) struct Tool {
    name: &'static str,
    /// What becomes of what wants it.
    without: &'static str,
}

pub(crate) const VALGRIND: Tool = Tool {
    name: "valgrind",
    without: "instructions are not counted",
};

const REDIS_SERVER: Tool = Tool {
    name: "redis-server",
    without: "the tests of the backend `redis` fail",
};

/// Installs all of them.
pub(crate) fn install(_: &Workspace) -> Result<Outcome> {
    let mut missing = Vec::new();
    for tool in [VALGRIND, REDIS_SERVER] {
        let is_there = tool.is_there() || (can_install()? && tool.install() && tool.is_there());
        if !is_there {
            missing.push(tool.missing());
        }
    }
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Skipped(missing.join("; ")))
}

impl Tool {
    pub(crate) fn is_there(&self) -> bool {
        run::succeeds(Command::new(self.name).arg("--version"))
    }

    /// What to do about it.
    pub(crate) fn missing(&self) -> String {
        let Self { name, without } = self;
        format!("{name} is missing, and {without}; install it with: apt-get install {name}")
    }

    /// The package lists of a fresh machine may be empty or old, so a failed first try updates them.
    fn install(&self) -> bool {
        let install = || apt_get(&["install", "-y", "--no-install-recommends", self.name]);
        install() || (apt_get(&["update"]) && install())
    }
}

fn can_install() -> Result<bool> {
    let is_root = run::output(Command::new("id").arg("-u"))? == b"0\n";
    Ok(is_root && run::succeeds(Command::new("apt-get").arg("--version")))
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments);
    run::run(&mut command).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_follows_and_what_to_do() {
        let tool = Tool {
            name: "no-such-program",
            without: "nothing works",
        };
        assert!(!tool.is_there());
        assert_eq!(
            tool.missing(),
            "no-such-program is missing, and nothing works; install it with: apt-get install no-such-program"
        );
    }
}
