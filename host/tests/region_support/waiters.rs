//! Who waits for which key, from the lock's log: it is written when a caller has its place in line.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Metadata, Subscriber};

use super::until_it;

/// How many callers have ever lined up for a key. Tests of one process use different keys where they ask for this.
static LINED_UP: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

/// What was logged of caches, from the level `INFO` up, by all tests of the process.
static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) fn records() -> Vec<String> {
    RECORDS.lock().unwrap().clone()
}

/// Until so many callers have lined up for `key`, as the backend sees it.
#[track_caller]
pub(crate) fn until_waiting(key: &str, callers: usize) {
    let lined_up = || {
        let counts = LINED_UP.lock().unwrap();
        let count = counts.as_ref().and_then(|counts| counts.get(key));
        count.copied().unwrap_or(0)
    };
    until_it(
        || lined_up() >= callers,
        || {
            let count = lined_up();
            format!("{callers} callers to line up for {key:?}: there are {count}")
        },
    );
}

pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_global_default(Watch).expect("nothing else is set in these tests"));
}

struct Watch;

impl Subscriber for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.lock"
            || metadata.target() == "dogpile.cache" && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if event.metadata().target() == "dogpile.cache" {
            let level = event.metadata().level();
            let record = format!("{level} {}", line.message);
            RECORDS.lock().unwrap().push(record);
            return;
        }
        if line.message.starts_with("no value, waiting") {
            let mut lined_up = LINED_UP.lock().unwrap();
            let counts = lined_up.get_or_insert_default();
            *counts.entry(line.key).or_default() += 1;
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    key: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "key" {
            value.clone_into(&mut self.key);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
