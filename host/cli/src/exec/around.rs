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
    /// Where that number and that time hold.
    namespaces: Namespaces,
}

/// By their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Namespaces {
    process: u64,
    /// 0 where the kernel has none.
    time: u64,
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
                namespaces: Namespaces {
                    process: parts.next()?.parse().ok()?,
                    time: parts.next()?.parse().ok()?,
                },
            },
        };
        Some(run)
    }

    fn shown(&self) -> String {
        let Runner {
            process,
            start,
            namespaces,
        } = self.by;
        let Namespaces {
            process: of_process,
            time,
        } = namespaces;
        format!("{}:{process}:{start}:{of_process}:{time}", self.key)
    }
}

impl Runner {
    fn here() -> io::Result<Self> {
        let (_, start) = state_and_start("self")?;
        Ok(Self {
            process: getpid(),
            start,
            namespaces: Namespaces::here()?,
        })
    }

    /// False if it has ended for sure. In a container the runs around it cannot be seen.
    fn may_live(self) -> bool {
        if !Namespaces::here().is_ok_and(|own| own == self.namespaces) || !is_proc_ours() {
            return true;
        }
        match state_and_start(&self.process.to_string()) {
            Ok((state, start)) => start == self.start && !"ZX".contains(state),
            // Those of other users may be hidden.
            Err(_) => test_kill_process(self.process) != Err(Errno::SRCH),
        }
    }
}

impl Namespaces {
    fn here() -> io::Result<Self> {
        let time = match fs::metadata("/proc/self/ns/time") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            time => time?.ino(),
        };
        Ok(Self {
            process: fs::metadata("/proc/self/ns/pid")?.ino(),
            time,
        })
    }
}

/// Whether it numbers processes as we do. In a namespace of processes alone it is still the one from around it.
fn is_proc_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str() == getpid().to_string().as_str())
}

/// The third and the twenty-second word of what the kernel says of it. The second may hold anything, in parentheses.
fn state_and_start(process: &str) -> io::Result<(char, u64)> {
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
        for told in ["", ",", "digest", "a:b:c:d:e", "a:0:1:2:3", "a:1:2:3"] {
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
        let Namespaces { process, time } = own.namespaces;
        for (process, time) in [(process + 1, time), (process, time + 1)] {
            let elsewhere = Runner {
                namespaces: Namespaces { process, time },
                ..earlier
            };
            assert!(elsewhere.may_live());
        }
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let process = Pid::from_child(&child);
        let (_, start) = state_and_start(&process.to_string()).unwrap();
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
