//! What is logged of a lease that passes while its renewal hangs. Alone in its process, which has one subscriber.
#![cfg(not(feature = "model-check"))]

use dogpile_lock::{Remote, RemoteMutex};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const LONG: Duration = Duration::from_secs(30);

/// Passes the warnings of the lock on.
struct Log(Mutex<mpsc::Sender<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.lock" && *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().send(line.0).unwrap();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Its renewals come back, in vain, when they are let.
struct Hanging(Mutex<mpsc::Receiver<()>>);

impl RemoteMutex for Hanging {
    type Lease = ();
    type Error = String;

    fn try_acquire(&self, _: Duration) -> Result<Option<()>, String> {
        Ok(Some(()))
    }

    fn wait(&self, _: Duration) -> Result<(), String> {
        Ok(())
    }

    fn renew(&self, (): &mut ()) -> Result<bool, String> {
        let let_go = self.0.lock().unwrap().recv_timeout(LONG);
        assert!(let_go.is_ok(), "it hangs for ever");
        Err("not now".to_owned())
    }

    fn release(&self, (): ()) -> Result<(), String> {
        Ok(())
    }

    fn is_locked(&self) -> Result<bool, String> {
        Ok(true)
    }
}

#[test]
fn a_lease_that_passes_is_told_of_while_its_renewal_hangs_and_when_that_has_failed() {
    let (says, said) = mpsc::channel();
    tracing::subscriber::set_global_default(Log(Mutex::new(says))).unwrap();
    let (let_go, hangs) = mpsc::channel();
    let remote = Remote::new();
    let mutex = Arc::new(Hanging(Mutex::new(hangs)));
    let held = remote.try_acquire(&mutex, Duration::from_millis(60));
    let held = held.unwrap().expect("it is free");
    assert_eq!(
        said.recv_timeout(LONG / 2).unwrap(),
        "a lease has passed, and its renewal has not come back: it counts as lost"
    );
    let_go.send(()).unwrap();
    assert_eq!(
        said.recv_timeout(LONG / 2).unwrap(),
        "a lease has passed, and could not be renewed in time: it counts as lost"
    );
    held.release().unwrap();
}
