//! What the lock logs. Alone in its process, because whether a call site is enabled is known per process.
#![cfg(not(feature = "model-check"))]

use dogpile_lock::{Clock, Flights, Lock, LockError, WaitGraph};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the messages of the lock, with their keys.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            "key" => write!(self.0, " {value:?}").unwrap(),
            _ => {}
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.lock" && *metadata.level() == Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn each_branch_is_logged_with_its_key_and_a_fresh_value_is_not() {
    let log = Log::default();
    let lines = log.0.clone();
    tracing::subscriber::set_global_default(log).unwrap();

    let (clock, hand) = Clock::manual(1_000);
    let flights = Flights::<u64, String>::new(WaitGraph::new());
    let stored = Mutex::new(None);
    let lock = Lock::new(&flights, "key").expiration_time(Duration::from_nanos(10));
    let lock = lock.clock(clock.clone());
    let read = || Ok(*stored.lock().unwrap());
    let create = || {
        *stored.lock().unwrap() = Some((1, clock.exact()));
        Ok(1)
    };
    lock.get_or_create(read, create).unwrap();
    lock.get_or_create(read, create).unwrap();
    hand.advance(Duration::from_nanos(11));
    let outcome = lock.get_or_create(read, || {
        lock.get_or_create(read, create).unwrap();
        *stored.lock().unwrap() = None;
        let refused = lock.get_or_create(read, create);
        assert!(matches!(refused, Err(LockError::Circle(_))));
        create()
    });
    outcome.unwrap();

    let many = "ö".repeat(301);
    let other = Lock::new(&flights, &many);
    other.get_or_create(|| Ok(None), || Ok(1)).unwrap();
    let cut = format!("creating the value {:?}", "ö".repeat(300));
    assert_eq!(lines.lock().unwrap().pop(), Some(cut));

    let expected = [
        r#"creating the value "key""#,
        r#"creating the value "key""#,
        r#"another creates the value, serving the stale one "key""#,
        r#"waiting would close a circle "key""#,
    ];
    assert_eq!(*lines.lock().unwrap(), expected);
}
