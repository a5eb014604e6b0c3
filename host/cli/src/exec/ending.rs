//! How dogpile itself ends.

use std::process;

use rustix::process::{DumpableBehavior, Pid, Signal, getpid, kill_process, set_dumpable_behavior};
use signal_hook::consts::SIGPIPE;
use signal_hook::low_level::emulate_default_handler;

use super::line::Line;
use super::printing::Printed;
use super::record::End;
use super::warn::warn;

/// dogpile's own failures, since it ends with the command's status otherwise.
pub(crate) const FAILED: u8 = 125;

/// Ends as the command did, or as whoever prints to somebody who has gone.
pub(super) fn as_command(end: End, printed: Printed) -> ! {
    if let Some(error) = printed.error {
        warn(format_args!("the output cannot be printed: {error}"));
        process::exit(FAILED.into());
    }
    if printed.gone {
        by_signal(SIGPIPE);
    }
    match end {
        End::Exited(code) => process::exit(code),
        End::Signalled(signal) => by_signal(signal),
    }
}

/// Becomes the command, without the cache.
pub(super) fn uncached(line: &Line) -> ! {
    not_started(line, &line.exec())
}

pub(super) fn not_started(line: &Line, error: &std::io::Error) -> ! {
    warn(format_args!(
        "`{}` cannot be started: {error}",
        line.program()
    ));
    process::exit(FAILED.into())
}

/// The dump of a core, if there was one, was the command's.
pub(super) fn by_signal(signal: i32) -> ! {
    // The first process of a namespace is not ended by signals of its own.
    if getpid() == Pid::INIT {
        process::exit(128 + signal);
    }
    // Then there is one of us too.
    let _dumped = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if emulate_default_handler(signal).is_err()
        && let Some(signal) = Signal::from_named_raw(signal)
    {
        let _alive = kill_process(getpid(), signal);
    }
    // One that does not end a process, or that has no name: as shells tell it.
    process::exit(128 + signal)
}
