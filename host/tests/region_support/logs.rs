//! What is logged on this thread meanwhile.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) target: String,
    pub(crate) message: String,
    /// All but the message, in their order.
    pub(crate) fields: Vec<(String, String)>,
}

impl Line {
    pub(crate) fn field(&self, name: &str) -> String {
        let found = self.fields.iter().find(|(field, _)| field == name);
        let (_, value) = found.unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.clone()
    }
}

/// The events of target `dogpile.cache` on this thread while `work` runs.
pub(crate) fn of(work: impl FnOnce()) -> Vec<Line> {
    of_target("dogpile.cache", work)
}

/// The events of a target on this thread while `work` runs.
pub(crate) fn of_target(target: &'static str, work: impl FnOnce()) -> Vec<Line> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener {
        target,
        lines: Arc::clone(&lines),
    };
    // Were it the only one, tracing would ask the thread that first comes to an event, of whichever test, whether anybody
    // wants it, and keep the answer for all threads.
    let _another = Dispatch::new(NoSubscriber::default());
    tracing::subscriber::with_default(listener, work);
    let lines = lines.lock().unwrap();
    lines.clone()
}

/// The events of a target on all threads from now on, in a process that has no other log.
pub(crate) fn of_all_threads(target: &'static str) -> Arc<Mutex<Vec<Line>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener {
        target,
        lines: Arc::clone(&lines),
    };
    tracing::subscriber::set_global_default(listener).expect("nothing else is set");
    lines
}

struct Listener {
    target: &'static str,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == self.target
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            level: event.metadata().level().to_string(),
            target: event.metadata().target().to_owned(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        self.lines.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields
            .push((field.name().to_owned(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name().to_owned(), text));
        }
    }
}
