//! What `log` logs.

#![forbid(unsafe_code)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_plugin_api::testing::{Offered, TestHost, host};
use dogpile_plugin_api::tracing::field::{Field, Visit};
use dogpile_plugin_api::tracing::span::{Attributes, Id, Record};
use dogpile_plugin_api::tracing::subscriber::{NoSubscriber, with_default};
use dogpile_plugin_api::tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use dogpile_plugin_api::{
    self as api, Backend, BackendInstance, Error, HostContext, Key, Lease, NoArguments, Plugin,
    Result, Value,
};
use dogpile_plugin_proxies::plugin;

/// Has one value, and fails for one key.
struct Simple;

impl Backend for Simple {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        match key.as_str() {
            "missing" => Ok(None),
            "fails" => Err(Error::unavailable("no route")),
            _ => Ok(Some(Value::from(&b"1234"[..]))),
        }
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        Ok(Some(Box::new(Free)))
    }
}

struct Free;

impl api::Mutex for Free {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let held = Lease::new([0; 16], 0);
        Ok((!lease.is_zero()).then_some(held))
    }

    fn wait(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        lease.tag += 1;
        Ok(lease.tag == 1)
    }

    fn release(&self, _: Lease) -> Result<()> {
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(true)
    }
}

/// Keeps records up to a level.
struct Keeps {
    most: Level,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Keeps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        assert!(line.timed);
        let level = event.metadata().level();
        let line = format!("{level} {}", line.text);
        self.lines.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    text: String,
    timed: bool,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.text = format!("{value:?}{}", self.text),
            "elapsed" => self.timed = true,
            name => write!(self.text, " {name}={value:?}").unwrap(),
        }
    }
}

fn open(host: &TestHost, arguments: &str) -> Result<BackendInstance> {
    let backend = Offered {
        plugin: Plugin::of_backend::<Simple>("simple"),
        name: "simple",
        arguments: "{}",
    };
    let log = Offered {
        plugin: plugin(),
        name: "log",
        arguments,
    };
    host.open(backend, &[log])
}

/// What is logged up to `most` by a proxy with those arguments.
fn logged(most: Level, arguments: &str, calls: impl FnOnce(&BackendInstance)) -> Vec<String> {
    let lines = Arc::default();
    let keeps = Keeps {
        most,
        lines: Arc::clone(&lines),
    };
    let opened = open(&host(), arguments).unwrap();
    // Were it the only one, tracing would ask the thread that first comes to an event, of whichever test, whether anybody
    // wants it, and keep the answer for all threads.
    let _another = Dispatch::new(NoSubscriber::default());
    with_default(keeps, || calls(&opened));
    let lines = lines.lock().unwrap();
    lines.clone()
}

fn key(text: &str) -> Key<'_> {
    Key::new(text, 1)
}

#[test]
fn each_call_is_logged_with_its_key_and_outcome() {
    let lines = logged(Level::DEBUG, "{}", |log| {
        let value = Value::from(&b"12"[..]);
        log.get(&key("a")).unwrap();
        log.get(&key("missing")).unwrap();
        log.get(&key("fails")).unwrap_err();
        log.get_fresh(&key("a")).unwrap();
        log.get_multi(&[key("a"), key("missing")]).unwrap();
        log.get_multi_fresh(&[key("a"), key("missing")]).unwrap();
        log.set(&key("a"), &value).unwrap();
        log.set_multi(&[(key("a"), value.clone()), (key("b"), value)])
            .unwrap();
        log.delete(&key("a")).unwrap();
        log.delete_multi(&[key("a"), key("b")]).unwrap();
        log.clear().unwrap_err();
        log.ping().unwrap();
        log.stats().unwrap();
        let mutex = log.mutex(&key("a")).unwrap().unwrap();
        assert!(mutex.try_acquire(Duration::ZERO).unwrap().is_none());
        let mut lease = mutex.try_acquire(Duration::from_secs(1)).unwrap().unwrap();
        mutex.wait(Duration::ZERO).unwrap();
        mutex.renew(&mut lease).unwrap();
        mutex.renew(&mut lease).unwrap();
        let guarded = log.set_guarded(&key("a"), &Value::from(&b"1"[..]), &lease);
        guarded.unwrap();
        let value = Value::from(&b"1"[..]);
        let entries = [(key("a"), value.clone(), lease), (key("b"), value, lease)];
        log.set_guarded_multi(&entries).unwrap();
        mutex.release(lease).unwrap();
        mutex.is_locked().unwrap();
    });
    let expected = [
        r#"get key="a" outcome="4 B""#,
        r#"get key="missing" outcome="nothing""#,
        r#"get key="fails" outcome="failed: no route""#,
        r#"get_fresh key="a" outcome="4 B""#,
        r#"get_multi key="a missing" outcome="1 of 2""#,
        r#"get_multi_fresh key="a missing" outcome="1 of 2""#,
        r#"set key="a" outcome="stored 2 B""#,
        r#"set_multi key="a b" outcome="stored 2""#,
        r#"delete key="a" outcome="done""#,
        r#"delete_multi key="a b" outcome="done""#,
        r#"clear key="" outcome="failed: this backend cannot be cleared""#,
        r#"ping key="" outcome="done""#,
        r#"stats key="" outcome="BackendStats { entries: None, bytes: None, evictions: None, expirations: None }""#,
        r#"try_acquire key="a" outcome="held by another""#,
        r#"try_acquire key="a" outcome="acquired""#,
        r#"wait key="a" outcome="done""#,
        r#"renew key="a" outcome="renewed""#,
        r#"renew key="a" outcome="lost""#,
        r#"set_guarded key="a" outcome="stored 1 B""#,
        r#"set_guarded_multi key="a b" outcome="stored 2 of 2""#,
        r#"release key="a" outcome="done""#,
        r#"is_locked key="a" outcome="true""#,
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|line| format!("DEBUG {line}"))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_level_of_the_records_is_an_argument() {
    for (level, name) in [
        (Level::ERROR, "error"),
        (Level::WARN, "warn"),
        (Level::INFO, "info"),
        (Level::DEBUG, "debug"),
        (Level::TRACE, "trace"),
    ] {
        let arguments = format!(r#"{{"level": "{name}"}}"#);
        let ping = |log: &BackendInstance| log.ping().unwrap();
        let lines = logged(level, &arguments, ping);
        assert_eq!(lines, [format!(r#"{level} ping key="" outcome="done""#)]);
        let quiet = match level {
            Level::ERROR => continue,
            Level::WARN => Level::ERROR,
            Level::INFO => Level::WARN,
            Level::DEBUG => Level::INFO,
            _ => Level::DEBUG,
        };
        assert_eq!(logged(quiet, &arguments, ping), Vec::<String>::new());
    }
    assert!(open(&host(), r#"{"level": "loud"}"#).is_err());
}
