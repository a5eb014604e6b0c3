//! A plugin's records and panics reach the host's subscriber, and nothing else says anything.
//!
//! Each test runs its other half in a process of its own, where the subscriber is the only one and standard error is
//! watched.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use dogpile::loader::Loader;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::fixtures::{count, file, key, open, open_with, rust};
use crate::lies::arguments;
use crate::own_process::is_outer;

/// Keeps `LEVEL target field=value …` of each record.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<String>>>);

impl Kept {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Host {
    kept: Kept,
    most: Level,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Subscriber for Host {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && metadata.target().starts_with("dogpile")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut fields);
        self.kept.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Makes a host's subscriber that keeps records up to `most`.
pub(crate) fn keep(most: Level) -> Kept {
    let kept = Kept::default();
    let host = Host {
        kept: kept.clone(),
        most,
    };
    tracing::subscriber::set_global_default(host).unwrap();
    kept
}

pub(crate) fn assert_has(records: &[String], parts: &[&str]) {
    let found = records
        .iter()
        .any(|record| parts.iter().all(|part| record.contains(part)));
    assert!(found, "{parts:?} not in {records:#?}");
}

#[test]
fn records_carry_the_plugins_name_and_their_level() {
    if is_outer("logging::records_carry_the_plugins_name_and_their_level") {
        return;
    }
    let kept = keep(Level::DEBUG);
    let (_folder, path) = file(&rust("good"));
    let counter = open(&Loader::new().load_as(&path, "mine").unwrap(), "counter");
    let records = kept.take();
    assert_has(
        &records,
        &[
            "INFO dogpile::plugin",
            "plugin=mine",
            "module=good",
            "a counter is opened step=1",
        ],
    );
    count(&counter);
    assert_has(
        &kept.take(),
        &[
            "DEBUG dogpile::plugin",
            "plugin=mine",
            "counted key=\"a\" count=1",
        ],
    );
}

#[test]
fn records_that_the_host_does_not_want_are_not_kept() {
    if is_outer("logging::records_that_the_host_does_not_want_are_not_kept") {
        return;
    }
    let kept = keep(Level::WARN);
    let (_folder, path) = file(&rust("good"));
    let counter = open(&Loader::new().load(&path).unwrap(), "counter");
    count(&counter);
    assert_eq!(kept.take(), Vec::<String>::new());
}

#[test]
fn panics_are_records_and_nothing_is_printed() {
    if is_outer("logging::panics_are_records_and_nothing_is_printed") {
        return;
    }
    let kept = keep(Level::INFO);
    let (_folder, path) = file(&rust("lies"));
    let loaded = Loader::new().load_as(&path, "mine").unwrap();
    let backend = open_with(&loaded, "lies", &arguments("panics", "get")).unwrap();
    backend.get(&key("a")).unwrap_err();
    assert_has(
        &kept.take(),
        &["ERROR dogpile::plugin", "plugin=mine", "get is not for me"],
    );
    for (lie, method, message) in [
        ("panics", "drop", "drop is not for me"),
        ("panics", "open", "open is not for me"),
        ("panics_in_a_thread", "open", "this thread is not for me"),
    ] {
        drop(open_with(&loaded, "lies", &arguments(lie, method)));
        let parts = ["ERROR dogpile::plugin", "plugin=mine", message];
        assert_has(&kept.take(), &parts);
    }
}

#[test]
fn a_process_without_a_subscriber_is_not_printed_to() {
    if is_outer("logging::a_process_without_a_subscriber_is_not_printed_to") {
        return;
    }
    let (_folder, path) = file(&rust("lies"));
    let loaded = Loader::new().load(&path).unwrap();
    let backend = open_with(&loaded, "lies", &arguments("panics", "get")).unwrap();
    backend.get(&key("a")).unwrap_err();
}
