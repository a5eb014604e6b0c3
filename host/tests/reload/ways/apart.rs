//! Processes of their own, in namespaces of their own: what a way mounts, stops or lacks is nobody else's.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::Needs;

/// What the process of a test is apart in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// It is a process.
    Process,
    /// It may mount.
    Mounts,
    /// It may mount, and the kernel gives it no events of files.
    NoEvents,
}

const INNER: &str = "DOGPILE_TEST_INNER";

impl Namespace {
    /// How long a save may take until it is applied.
    pub(super) fn within(self, by_looking: bool) -> Duration {
        if by_looking || self == Self::NoEvents {
            Duration::from_secs(5)
        } else {
            Duration::from_secs(1)
        }
    }

    /// How long to look whether anything happens: longer than it would take.
    pub(super) fn look(self) -> Duration {
        match self {
            Self::NoEvents => Duration::from_secs(3),
            _ => Duration::from_millis(300),
        }
    }

    pub(super) fn has(self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::Mounts => self != Self::Process,
            Needs::Users => self != Self::NoEvents && rustix::process::geteuid().is_root(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Mounts => "mounts",
            Self::NoEvents => "no events",
        }
    }

    /// Commands that run what follows them in it, the best first.
    fn commands(self) -> &'static [&'static [&'static str]] {
        const ROOT: &[&str] = &["unshare", "--mount"];
        const USER: &[&str] = &["unshare", "--user", "--map-root-user", "--mount"];
        const DEAF: &[&str] = &[
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"",
        ];
        match self {
            Self::Process => &[&["env"]],
            Self::Mounts => &[ROOT, USER],
            Self::NoEvents => &[DEAF],
        }
    }
}

/// Runs the test of that name again, in a process apart; in that process gives what it is apart in.
pub(super) fn enter(test: &str, wanted: Namespace) -> Option<Namespace> {
    if let Some(inner) = std::env::var_os(INNER) {
        let is_process = inner == Namespace::Process.name();
        return Some(if is_process {
            Namespace::Process
        } else {
            wanted
        });
    }
    let works = |command: &&&[&str]| {
        let mut command = start(command);
        command
            .arg("true")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let command = wanted.commands().iter().find(works);
    let command = match (command, wanted) {
        (Some(command), _) => command,
        (None, Namespace::NoEvents) => {
            println!(
                "SKIPPED: {test} needs user namespaces: run it where `unshare --user --map-root-user` works"
            );
            return None;
        }
        (None, _) => {
            println!(
                "no mounts: run it as root, or where `unshare --user --map-root-user --mount` works"
            );
            return enter(test, Namespace::Process);
        }
    };
    let output = start(command)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INNER, wanted.name())
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    println!("{out}");
    assert!(output.status.success(), "{err}");
    assert!(out.contains("1 passed"), "{test} did not run");
    None
}

fn start(command: &[&str]) -> Command {
    let mut start = Command::new(command[0]);
    start.args(&command[1..]);
    start
}
