//! The runs of which a call is a part.

use std::os::unix::fs::MetadataExt;
use std::{env, fs, io};

use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};

use super::key::Key;

/// The variable by which a command that asks for itself is told from others: the keys of the runs around it, each with
/// who makes the run.
pub(super) const WITHIN: &str = "DOGPILE_EXEC_WITHIN";

/// Those that have not ended. What a command leaves running has the variable too, and may outlive its run by years.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Around(Vec<Run>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    key: String,
    by: Runner,
}

/// The process that makes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Runner {
    process: Pid,
    /// In ticks since the machine started: its number may be another's by now.
    start: u64,
    /// Of process numbers.
    namespace: u64,
}

impl Around {
    pub(super) fn here() -> Self {
        let told = env::var(WITHIN).unwrap_or_default();
        let mut runs = parsed(&told);
        runs.retain(|run| run.by.may_live());
        Self(runs)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what that key asks for is being made by one of them.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.0.iter().any(|run| run.key == key.digest())
    }

    /// What the variable is for a run of ours.
    pub(super) fn with(&self, key: &Key) -> io::Result<String> {
        let own = Run {
            key: key.digest().to_owned(),
            by: Runner::here()?,
        };
        let runs: Vec<_> = self.0.iter().chain([&own]).map(Run::shown).collect();
        Ok(runs.join(","))
    }
}

/// What makes no sense is left out.
fn parsed(told: &str) -> Vec<Run> {
    told.split(',').filter_map(Run::parse).collect()
}

impl Run {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let run = Self {
            key: parts.next()?.to_owned(),
            by: Runner {
                process: Pid::from_raw(parts.next()?.parse().ok()?)?,
                start: parts.next()?.parse().ok()?,
                namespace: parts.next()?.parse().ok()?,
            },
        };
        Some(run)
    }

    fn shown(&self) -> String {
        let Runner {
            process,
            start,
            namespace,
        } = self.by;
        format!("{}:{process}:{start}:{namespace}", self.key)
    }
}

impl Runner {
    fn here() -> io::Result<Self> {
        let process = getpid();
        let (_, start) = state_and_start(process)?;
        Ok(Self {
            process,
            start,
            namespace: namespace()?,
        })
    }

    /// False if it has ended for sure. In a container the runs around it cannot be seen.
    fn may_live(self) -> bool {
        if namespace().is_ok_and(|own| own != self.namespace) {
            return true;
        }
        match state_and_start(self.process) {
            Ok((state, start)) => start == self.start && !"ZX".contains(state),
            // Those of other users may be hidden.
            Err(_) => test_kill_process(self.process) != Err(Errno::SRCH),
        }
    }
}

fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The third and the twenty-second word of what the kernel says of it. The second may hold anything, in parentheses.
fn state_and_start(process: Pid) -> io::Result<(char, u64)> {
    let file = format!("/proc/{process}/stat");
    let told = fs::read(&file)?;
    let told = String::from_utf8_lossy(&told);
    let mut words = told.rsplit(')').next().unwrap_or("").split_whitespace();
    let state = words.next().and_then(|word| word.chars().next());
    let start = words.nth(18).and_then(|word| word.parse().ok());
    state
        .zip(start)
        .ok_or_else(|| io::Error::other(format!("{file} does not tell when it was started")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;
    use crate::exec::line::Line;
    use crate::exec::options::tests::options;

    fn key(name: &str) -> Key {
        let options = options(&["--key", name, "--", "a"]);
        let line = Line::here(options.command.clone());
        Key::new(&line, &options).unwrap().unwrap()
    }

    #[test]
    fn a_key_is_found_among_those_around_it() {
        let (one, other) = (key("one"), key("other"));
        assert!(!Around::default().has(&one));
        let outer = Around(parsed(&Around::default().with(&one).unwrap()));
        let within = Around(parsed(&outer.with(&other).unwrap()));
        assert!(within.has(&one) && within.has(&other) && !within.has(&key("third")));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for told in ["", ",", "digest", "a:b:c:d", "a:0:1:2", "a:1:2"] {
            assert_eq!(parsed(told), [], "{told}");
        }
    }

    #[test]
    fn a_run_has_ended_with_the_process_that_makes_it() {
        let own = Runner::here().unwrap();
        assert!(own.may_live());
        let earlier = Runner {
            start: own.start - 1,
            ..own
        };
        assert!(!earlier.may_live());
        let elsewhere = Runner {
            namespace: own.namespace + 1,
            ..earlier
        };
        assert!(elsewhere.may_live());
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let process = Pid::from_child(&child);
        let (_, start) = state_and_start(process).unwrap();
        let child_runs = Runner {
            process,
            start,
            ..own
        };
        assert!(child_runs.may_live());
        drop(child.stdin.take());
        // Before anybody has waited for it, too.
        while child_runs.may_live() {
            thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!child_runs.may_live());
    }
}
