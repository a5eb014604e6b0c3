//! Programs of the system that steps want, installed where that can be done without asking.

use std::process::Command;

use anyhow::Result;

use crate::run;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// A program.
pub(crate) struct Tool {
    name: &'static str,
    package: &'static str,
    /// With this it says something and ends well.
    asks: &'static str,
    /// What becomes of what wants it.
    without: &'static str,
}

pub(crate) const VALGRIND: Tool = Tool {
    name: "valgrind",
    package: "valgrind",
    asks: "--version",
    without: "instructions are not counted",
};

const REDIS_SERVER: Tool = Tool {
    name: "redis-server",
    package: "redis-server",
    asks: "--version",
    without: "the tests of the backend `redis` fail",
};

const MEMCACHED: Tool = Tool {
    name: "memcached",
    package: "memcached",
    asks: "--version",
    without: "the tests of the backends of `memcached` fail",
};

/// Makes the users of a memcached that wants logins.
const SASLPASSWD2: Tool = Tool {
    name: "saslpasswd2",
    package: "sasl2-bin",
    asks: "-v",
    without: "the tests of logins to `memcached_binary` fail",
};

/// Reads the metrics; `promtool` comes with it.
const PROMETHEUS: Tool = Tool {
    name: "prometheus",
    package: "prometheus",
    asks: "--version",
    without: "the tests of metrics fail",
};

/// Looks at the unit.
const SYSTEMD_ANALYZE: Tool = Tool {
    name: "systemd-analyze",
    package: "systemd",
    asks: "--version",
    without: "the test of `docs/dogpile.service` fails",
};

/// Installs all of them.
pub(crate) fn install(_: &Workspace) -> Result<Outcome> {
    let mut missing = Vec::new();
    for tool in [
        VALGRIND,
        REDIS_SERVER,
        MEMCACHED,
        SASLPASSWD2,
        PROMETHEUS,
        SYSTEMD_ANALYZE,
    ] {
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
        run::succeeds(Command::new(self.name).arg(self.asks))
    }

    /// What to do about it.
    pub(crate) fn missing(&self) -> String {
        let Self {
            name,
            package,
            without,
            ..
        } = self;
        format!("{name} is missing, and {without}; install it with: apt-get install {package}")
    }

    /// The package lists of a fresh machine may be empty or old, so a failed first try updates them.
    fn install(&self) -> bool {
        let install = || apt_get(&["install", "-y", "--no-install-recommends", self.package]);
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
            package: "no-such-package",
            asks: "--version",
            without: "nothing works",
        };
        assert!(!tool.is_there());
        assert_eq!(
            tool.missing(),
            "no-such-program is missing, and nothing works; install it with: apt-get install no-such-package"
        );
    }
}
