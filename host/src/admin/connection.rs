//! One client of the socket.

use std::os::unix::net::UnixStream;
use std::sync::Weak;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::answer::answer;
use super::protocol::{Answer, Failure};
use super::wire::{Broken, REQUEST, Wire};
use crate::inner::Inner;
use crate::{Error, ErrorKind};

/// How long a client may take to send a request, and to take the answer.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// How often a client is told that its request is worked at.
const BEAT: Duration = Duration::from_secs(2);

/// Answers until the client goes, is too slow, or sends what is no request; then hangs up, whoever else has the stream.
pub(super) fn serve(stream: UnixStream, host: &Weak<Inner>) {
    let mut wire = Wire::new(stream, REQUEST);
    answer_all(&mut wire, host);
    wire.hang_up();
}

fn answer_all(wire: &mut Wire, host: &Weak<Inner>) {
    loop {
        let (answer, body) = match wire.read(PATIENCE) {
            Ok(Some((request, body))) => {
                let Some(host) = host.upgrade() else { return };
                while_telling(wire, || answer(&host, request, &body))
            }
            Ok(None) => return,
            Err(Broken::Io(error)) => {
                tracing::debug!(target: "dogpile.admin", %error, "a client went before its request was whole");
                return;
            }
            Err(Broken::Refused(why)) => {
                tracing::debug!(target: "dogpile.admin", why, "a client was refused");
                refuse(wire, &why);
                return;
            }
        };
        if let Err(error) = wire.write(answer, &body, PATIENCE) {
            tracing::debug!(target: "dogpile.admin", %error, "a client did not take its answer");
            return;
        }
    }
}

/// What `work` gives; as long as it needs for that, the client is told that it is worked at.
fn while_telling<T>(wire: &mut Wire, work: impl FnOnce() -> T) -> T {
    let (working, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let tell = move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // A client that has gone is noticed when it is to take the answer.
                let _gone = wire.write(Answer::Working, &[], PATIENCE);
            }
        };
        let thread = thread::Builder::new().name("dogpile-admin-tell".to_owned());
        if let Err(error) = thread.spawn_scoped(scope, tell) {
            tracing::debug!(target: "dogpile.admin", %error, "a client is not told that its request is worked at");
        }
        let worked = work();
        // It is this closure's, so that a panic drops it too: the scope waits for the thread.
        drop(working);
        worked
    })
}

/// Tells a client why it is turned away, without waiting for it.
pub(super) fn turn_away(stream: UnixStream, why: &str) {
    refuse(&mut Wire::new(stream, REQUEST), why);
}

fn refuse(wire: &mut Wire, why: &str) {
    let failure = Failure::from(&Error::new(ErrorKind::Admin, why));
    if let Err(error) = wire.write(Answer::Failed(failure), &[], PATIENCE) {
        tracing::debug!(target: "dogpile.admin", %error, "a client that was refused did not listen");
    }
}
