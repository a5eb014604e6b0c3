//! Signals that are meant for the command.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

use super::ending;

/// Passes the signals that end a program on to the command, for the rest of the process' life. What the terminal sends
/// goes to the whole job, so the command has that already.
pub(super) struct Forwarding(Arc<Shared>);

#[derive(Default)]
struct Shared {
    command: Mutex<Command>,
    cancelled: AtomicBool,
}

enum Command {
    /// It will be started; these wait for it.
    ToCome(Vec<i32>),
    Runs(Pid),
    Ended,
}

impl Default for Command {
    fn default() -> Self {
        Self::ToCome(Vec::new())
    }
}

impl Forwarding {
    /// Whoever started us may have set some of them to be ignored, as `nohup` does: they stay so, and the command inherits
    /// that.
    pub(super) fn start() -> io::Result<Self> {
        let ignored = ignored()?;
        let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2];
        let heard = wanted.iter().filter(|signal| !is_in(ignored, **signal));
        if is_in(ignored, SIGCHLD) {
            // Nobody could wait for the command then. It inherits the default, as it would from a shell.
            flag::register(SIGCHLD, Arc::default())?;
        }
        let mut signals = SignalsInfo::<WithOrigin>::new(heard)?;
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("dogpile-signals".to_owned());
        thread.spawn(move || signals.forever().for_each(|origin| own.pass_on(&origin)))?;
        Ok(Self(shared))
    }

    /// The command runs, as that process.
    pub(super) fn started(&self, process: Pid) {
        let mut command = self.0.command();
        if let Command::ToCome(early) = &*command {
            for signal in early {
                send(process, *signal);
            }
        }
        *command = Command::Runs(process);
    }

    /// The command has ended, and will not be there any more: from now on a signal ends us.
    pub(super) fn ended(&self) {
        *self.0.command() = Command::Ended;
    }

    /// Whether there was a signal while it ran: then what it printed may be half of it.
    pub(super) fn was_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn command(&self) -> MutexGuard<'_, Command> {
        self.command.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, origin: &Origin) {
        let mut command = self.command();
        if let Command::Ended = *command {
            ending::by_signal(origin.signal);
        }
        self.cancelled.store(true, Ordering::SeqCst);
        match &mut *command {
            Command::ToCome(early) => early.push(origin.signal),
            // Of a terminal that is gone it tells nobody but who leads the session, which we may be.
            Command::Runs(process) if origin.cause != Cause::Kernel || origin.signal == SIGHUP => {
                send(*process, origin.signal);
            }
            Command::Runs(_) | Command::Ended => {}
        }
    }
}

/// It may have ended just now.
fn send(process: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ended = kill_process(process, signal);
    }
}

fn is_in(signals: u64, signal: i32) -> bool {
    signals >> (signal - 1) & 1 == 1
}

/// The signals that this process ignores, the first in the lowest bit.
fn ignored() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.ok_or_else(|| {
        io::Error::other("/proc/self/status does not tell which signals are ignored")
    })
}
