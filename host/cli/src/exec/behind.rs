//! A run behind an output that is printed already.

use std::process::{Command, Stdio};
use std::{env, io};

use dogpile::Region;
use rustix::io::Errno;
use rustix::process::setsid;

use super::job::Job;
use super::time::nanoseconds;
use super::warn::warn;
use super::word::Word;

/// This very file, also if another has taken its place.
const OURSELVES: &str = "/proc/self/exe";

/// Starts it, unless one has failed just now. Of several that are started at once, one runs the command: who has the
/// creation lock.
pub(super) fn start_if_due(job: &Job, region: &Region) {
    // Without word of it, it is tried.
    let failed = Word::find(region, &job.key).ok().flatten();
    if failed.is_some_and(|word| word.is_recent()) {
        return;
    }
    if let Err(error) = start(nanoseconds(job.came)) {
        warn(format_args!(
            "the output is old, and no new run can be started: {error}"
        ));
    }
}

/// Ourselves with the same arguments. Nobody waits for it: it has none of our streams, nor anything else that our caller
/// left open for us, such as a lock of its script.
fn start(came: u64) -> io::Result<()> {
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let at = super::place_of_exec(&arguments).map_or(0, |at| at + 1);
    Command::new(OURSELVES)
        .args(&arguments[..at])
        .arg(format!("--behind={came}"))
        .args(&arguments[at..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

/// Leaves the terminal and the shell's job, whose signals are not for a run behind.
pub(super) fn detach() -> io::Result<()> {
    match setsid() {
        // It leads a session already.
        Ok(_) | Err(Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
