//! What is logged of a storage whose records cannot be read. Alone in its process, which has one subscriber.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dogpile::{Host, RegionConfig};
use dogpile_plugin_api::{Backend, Error, HostContext, Key, NoArguments, Result, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// What the backend does: its work, fail, or give something that is no record.
static MODE: AtomicUsize = AtomicUsize::new(0);
static READS: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Away(Mutex<HashMap<String, Value>>);

impl Backend for Away {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self::default())
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        READS.fetch_add(1, Ordering::SeqCst);
        match MODE.load(Ordering::SeqCst) {
            0 => Ok(self.0.lock().unwrap().get(key.as_str()).cloned()),
            1 => Err(Error::unavailable("not today")),
            _ => Ok(Some(b"text".as_slice().into())),
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let mut entries = self.0.lock().unwrap();
        entries.insert(key.to_string(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.lock().unwrap().remove(key.as_str());
        Ok(())
    }
}

/// Keeps what is logged at info and above.
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.cache" && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0
            .lock()
            .unwrap()
            .push((*event.metadata().level(), line.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn until_read(more: usize) {
    let enough = READS.load(Ordering::SeqCst) + more;
    while READS.load(Ordering::SeqCst) < enough {
        thread::yield_now();
    }
}

#[test]
fn a_record_that_cannot_be_read_is_reported_when_that_begins_and_when_it_ends() {
    let lines = Arc::default();
    tracing::subscriber::set_global_default(Log(Arc::clone(&lines))).unwrap();
    let config = RegionConfig::on("users", "away").invalidation_interval(Duration::from_millis(1));
    let builder = Host::builder().backend::<Away>("away").region(config);
    let host = builder.build().unwrap();
    until_read(3);
    assert_eq!(lines.lock().unwrap().len(), 0);
    let modes = [(1, "not today"), (2, "no record"), (1, "not today")];
    for (times, (mode, told)) in (0..).zip(modes) {
        MODE.store(mode, Ordering::SeqCst);
        until_read(5);
        MODE.store(0, Ordering::SeqCst);
        until_read(3);
        // Beside what is logged of the backend itself, whose breaker opens.
        let mut lines = lines.lock().unwrap();
        lines.retain(|(_, line)| line.contains("record of invalidations"));
        let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
        assert_eq!(
            levels,
            [Level::WARN, Level::INFO].repeat(times + 1),
            "{lines:?}"
        );
        for part in ["users", told, "record of invalidations"] {
            assert!(lines[times * 2].1.contains(part), "{lines:?}: {part}");
        }
    }
    drop(host);
}
