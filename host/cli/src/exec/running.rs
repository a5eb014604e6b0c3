//! Running the command.

use std::io;
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use super::around::WITHIN;
use super::line::Line;
use super::outlet::Outlet;
use super::pump::Pump;
use super::record::{Chunk, End, Record};
use super::signals::Forwarding;

/// What becomes of the output while the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// It is printed.
    Live,
    /// It is held until it is known whether an older one is printed instead, or it is more than is kept.
    Held,
    /// It is for nobody here.
    Silent,
}

/// A run that has ended.
pub(super) struct Ran {
    pub(super) end: End,
    /// What it printed; none if it is more than is kept.
    pub(super) record: Option<Record>,
    /// How many bytes that is.
    pub(super) length: usize,
    /// Whether a signal to us ended it, or might have.
    pub(super) cancelled: bool,
    /// Still printing, if it was to be printed.
    pub(super) outlet: Option<Outlet>,
}

/// Why there is no run.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something that a run needs is not to be had here; the command was not started.
    NotPrepared(io::Error),
    NotStarted(io::Error),
    /// The command was started, and its output cannot be read any more: it was killed.
    Lost(io::Error),
}

/// Runs it to the end of the command and of both its outputs: what it leaves running in the background and lets print
/// belongs to it. After a signal the outputs are not waited for.
pub(super) fn run(line: &Line, within: &str, showing: Showing) -> Result<Ran, Trouble> {
    // A kernel or a sandbox may lack it.
    pidfd_open(getpid(), PidfdFlags::empty())
        .map_err(|error| Trouble::NotPrepared(error.into()))?;
    let forwarding = Forwarding::start().map_err(Trouble::NotPrepared)?;
    let outlet = (showing == Showing::Live).then(Outlet::start).transpose();
    let outlet = outlet.map_err(Trouble::NotPrepared)?;
    let mut child = start(line, within)?;
    let process = Pid::from_child(&child);
    forwarding.started(process);
    let watched = watch(&mut child, process, &forwarding, showing, outlet);
    if watched.is_err() {
        // It may have ended.
        let _ended = child.kill();
    }
    // Before it is waited for: then its number may be another's.
    forwarding.ended();
    let status = child.wait();
    let (chunks, outlet) = watched.map_err(Trouble::Lost)?;
    let end = End::of(status.map_err(Trouble::Lost)?);
    let record = chunks.map(|chunks| Record::new(line, chunks, end));
    Ok(Ran {
        end,
        length: record.as_ref().map_or(0, Record::bytes),
        record,
        cancelled: forwarding.was_cancelled(),
        outlet,
    })
}

fn start(line: &Line, within: &str) -> Result<Child, Trouble> {
    let start = |mut command: Command| {
        command
            .env(WITHIN, within)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    start(line.command())
        .or_else(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOEXEC) => line.by_shell().map_or(Err(error), start),
            _ => Err(error),
        })
        .map_err(|error| match Errno::from_io_error(&error) {
            // To become the command takes less.
            Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM) => {
                Trouble::NotPrepared(error)
            }
            _ => Trouble::NotStarted(error),
        })
}

fn watch(
    child: &mut Child,
    process: Pid,
    forwarding: &Forwarding,
    showing: Showing,
    outlet: Option<Outlet>,
) -> io::Result<(Option<Vec<Chunk>>, Option<Outlet>)> {
    let out = child.stdout.take().expect("the standard output is a pipe");
    let err = child.stderr.take().expect("the standard error is a pipe");
    let ended = pidfd_open(process, PidfdFlags::empty())?;
    let mut pump = Pump::new(out.into(), err.into(), ended, showing, outlet);
    pump.run(forwarding)?;
    Ok(pump.end())
}
