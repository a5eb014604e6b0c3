//! What systemd, or another service manager, is told: `Type=notify` and `Type=notify-reload`.
//!
//! Nothing is told where the variable `NOTIFY_SOCKET` names no socket to tell it.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use dogpile::{Host, Listener, ReloadOutcome, ReloadRecord, Trigger};
use sd_notify::NotifyState;

use crate::output;

const SOCKET: &str = "NOTIFY_SOCKET";

/// The server listens, and the manifest is in force.
pub(super) fn ready(host: &Host) {
    let generation = host.status().generation;
    tell(&[
        NotifyState::Ready,
        NotifyState::Status(&format!("generation {generation}")),
    ]);
}

/// Tells of reloads, whatever is their cause. A refused one leaves the server ready as before, and its status says why.
pub(super) struct Reloads;

impl Listener for Reloads {
    fn reload_began(&self, trigger: Trigger) {
        let text = format!("reloading (cause: {trigger})");
        let mut states = vec![NotifyState::Reloading];
        match NotifyState::monotonic_usec_now() {
            Ok(now) => states.push(now),
            Err(error) => tracing::warn!(%error, "no time to tell the service manager"),
        }
        states.push(NotifyState::Status(&text));
        tell(&states);
    }

    fn reloaded(&self, record: &ReloadRecord) {
        let generation = record.generation;
        let text = if record.outcome == ReloadOutcome::Refused {
            let error = record.error.as_deref().unwrap_or_default();
            let first = error.lines().next().unwrap_or_default();
            format!("generation {generation}; the newest manifest was refused: {first}")
        } else {
            format!("generation {generation}")
        };
        tell(&[NotifyState::Ready, NotifyState::Status(&text)]);
    }
}

/// The server does not start, or not go on: the first line says why, and the system's error number if that is the cause.
pub(super) fn failed(error: &anyhow::Error) {
    let whole = output::whole(error);
    let text = format!("failed: {}", whole.lines().next().unwrap_or_default());
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    let number = causes.find_map(io::Error::raw_os_error);
    let number = number.and_then(|number| u32::try_from(number).ok());
    let mut states = vec![NotifyState::Status(&text)];
    states.extend(number.map(NotifyState::Errno));
    tell(&states);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Tells it twice in each `WatchdogSec=` that the server runs, if it wants to know.
pub(super) fn watchdog() {
    let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
    let Some(limit) = limit else {
        return;
    };
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(limit / 2);
        loop {
            turns.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    let Some(socket) = env::var_os(SOCKET) else {
        return;
    };
    if let Err(error) = send(&socket, states) {
        tracing::warn!(%error, "the service manager cannot be told: {SOCKET}");
    }
}

/// The crate sends to paths alone; a name that begins with `@` is no file.
fn send(socket: &OsStr, states: &[NotifyState<'_>]) -> io::Result<()> {
    let Some(name) = socket.as_bytes().strip_prefix(b"@") else {
        return sd_notify::notify(states);
    };
    let mut message = String::new();
    for state in states {
        // Writing to a string does not fail.
        let _ = writeln!(message, "{state}");
    }
    let address = SocketAddr::from_abstract_name(name)?;
    UnixDatagram::unbound()?
        .send_to_addr(message.as_bytes(), &address)
        .map(drop)
}
