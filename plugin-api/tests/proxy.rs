//! Proxies over the boundary: what they do not change goes on to what they wrap, and comes back as it is.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_plugin_api::testing::{Offered, host};
use dogpile_plugin_api::{
    self as api, Backend, BackendInstance, BackendStats, Deserialize, Error, ErrorKind, Guarded,
    HostContext, JsonSchema, Key, Lease, NoArguments, Plugin, Proxied, Proxy, Result, Storage,
    Value, export_plugin,
};

/// What `Other` says of itself.
const LONGEST_CALL: Duration = Duration::from_secs(7);

/// What was called, by the name of the log in the arguments.
static CALLS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn note(log: &str, call: &str) {
    CALLS
        .lock()
        .unwrap()
        .push((log.to_owned(), call.to_owned()));
}

fn noted(log: &str) -> Vec<String> {
    let mut calls = CALLS.lock().unwrap();
    let noted = calls.iter().filter(|(own, _)| own == log);
    let noted = noted.map(|(_, call)| call.clone()).collect();
    calls.retain(|(own, _)| own != log);
    noted
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Arguments {
    log: String,
}

/// Has an answer of its own to everything.
struct Full(String);

impl Full {
    fn note(&self, call: &str) -> Result<()> {
        note(&self.0, call);
        if call.contains("fails") {
            return Err(Error::unavailable(call));
        }
        Ok(())
    }
}

impl Backend for Full {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self(arguments.log))
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.note(&format!("get {key}"))?;
        Ok((key.as_str() != "missing").then(|| Value::from(key.as_bytes())))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.note(&format!("get_fresh {key}"))?;
        Ok(Some(Value::from(&b"fresh"[..])))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.note(&format!("get_multi {keys:?}"))?;
        Ok(keys.iter().map(|_| None).collect())
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.note(&format!("get_multi_fresh {keys:?}"))?;
        Ok(keys.iter().map(|_| None).collect())
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.note(&format!("set {key} {:?}", value.as_bytes()))
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        self.note(&format!("set_multi {}", entries.len()))
    }

    fn set_guarded(&self, key: &Key, _: &Value, lease: &Lease) -> Result<Guarded> {
        self.note(&format!("set_guarded {key} {}", lease.tag))?;
        Ok(match lease.tag {
            0 => Guarded::LeaseLost,
            _ => Guarded::Stored,
        })
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.note(&format!("set_guarded_multi {}", entries.len()))?;
        let guarded = |(_, _, lease): &(Key<'_>, Value, Lease)| match lease.tag {
            0 => Guarded::LeaseLost,
            _ => Guarded::Stored,
        };
        Ok(entries.iter().map(guarded).collect())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.note(&format!("delete {key}"))
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        self.note(&format!("delete_multi {keys:?}"))
    }

    fn clear(&self) -> Result<()> {
        self.note("clear")
    }

    fn ping(&self) -> Result<()> {
        self.note("ping")?;
        Err(Error::new(ErrorKind::Refused, "not today"))
    }

    fn stats(&self) -> Result<BackendStats> {
        self.note("stats")?;
        let mut stats = BackendStats::default();
        stats.entries = Some(7);
        Ok(stats)
    }

    fn close(&self) -> Result<()> {
        self.note("close")
    }

    fn storage(&self) -> Storage {
        Storage::Objects
    }

    fn blocking(&self) -> bool {
        false
    }

    fn shared(&self) -> bool {
        false
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        note(&self.0, &format!("mutex {key}"));
        let held = || Box::new(Held(self.0.clone())) as Box<dyn api::Mutex>;
        Ok((key.as_str() != "none").then(held))
    }

    fn key_mangler(&self) -> Option<&str> {
        Some("sha1")
    }
}

struct Held(String);

impl api::Mutex for Held {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        note(&self.0, &format!("try_acquire {lease:?}"));
        Ok(Some(lease_of(9)))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        note(&self.0, &format!("wait {timeout:?}"));
        Ok(())
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        note(&self.0, "renew");
        lease.tag += 1;
        Ok(true)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        note(&self.0, &format!("release {}", lease.tag));
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        note(&self.0, "is_locked");
        Ok(true)
    }
}

fn lease_of(tag: u64) -> Lease {
    Lease::new([0; 16], 0).tagged(tag)
}

/// Changes nothing.
struct Plain(Proxied);

impl Proxy for Plain {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }
}

/// Refuses to open, or panics.
struct Unwilling;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Unwillingness {
    panics: bool,
}

impl Proxy for Unwilling {
    type Arguments = Unwillingness;

    fn open(arguments: Unwillingness, _: Proxied, _: &HostContext) -> Result<Self> {
        assert!(!arguments.panics, "as told");
        Err(Error::argument("panics", "must be true"))
    }

    fn proxied(&self) -> &Proxied {
        unreachable!("it is never open")
    }
}

/// Panics in every method.
struct Panics(Proxied);

impl Proxy for Panics {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        panic!("over the edge")
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        panic!("over the edge")
    }

    fn close(&self) -> Result<()> {
        panic!("over the edge")
    }
}

/// Wants bytes, and says something else of itself.
struct Other(Proxied);

impl Proxy for Other {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn storage(&self) -> Storage {
        Storage::Bytes
    }

    fn blocking(&self) -> bool {
        true
    }

    fn longest_call(&self) -> Option<Duration> {
        Some(LONGEST_CALL)
    }

    fn shared(&self) -> bool {
        true
    }

    fn key_mangler(&self) -> Option<&str> {
        None
    }
}

export_plugin! {
    backends: { "full" => Full }
    proxies: { "plain" => Plain, "unwilling" => Unwilling, "panics" => Panics, "other" => Other }
}

fn open(log: &str, proxies: &[&str]) -> BackendInstance {
    let arguments = format!(r#"{{"log": "{log}"}}"#);
    let offered = |name| Offered {
        plugin: plugin(),
        name,
        arguments: "{}",
    };
    let proxies: Vec<_> = proxies.iter().map(|name| offered(name)).collect();
    let backend = Offered {
        arguments: &arguments,
        ..offered("full")
    };
    host().open(backend, &proxies).unwrap()
}

fn key(text: &str) -> Key<'_> {
    Key::new(text, 1)
}

fn text(value: Option<Value>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes().unwrap()).into_owned())
}

/// Makes every call, and tells what came back.
fn every_call(backend: &BackendInstance) -> Vec<String> {
    let (one, two) = (key("one"), key("two"));
    let value = Value::from(&b"value"[..]);
    let mut told = Vec::new();
    let mut tell = |outcome: &dyn std::fmt::Debug| told.push(format!("{outcome:?}"));
    tell(&backend.get(&one).map(text));
    tell(&backend.get(&key("missing")).map(text));
    tell(&backend.get(&key("fails")).map(text));
    tell(&backend.get_fresh(&one).map(text));
    let many = backend.get_multi(&[one, two]);
    tell(&many.map(|values| values.into_iter().map(text).collect::<Vec<_>>()));
    let many = backend.get_multi_fresh(&[one, two]);
    tell(&many.map(|values| values.into_iter().map(text).collect::<Vec<_>>()));
    tell(&backend.set(&one, &value));
    tell(&backend.set(&key("fails"), &value));
    let entries = [(one, value.clone()), (two, value.clone())];
    tell(&backend.set_multi(&entries));
    tell(&backend.set_guarded(&one, &value, &lease_of(0)));
    tell(&backend.set_guarded(&one, &value, &lease_of(1)));
    let guarded = [(one, value.clone(), lease_of(0)), (two, value, lease_of(1))];
    tell(&backend.set_guarded_multi(&guarded));
    tell(&backend.delete(&one));
    tell(&backend.delete_multi(&[one, two]));
    tell(&backend.clear());
    tell(&backend.ping());
    tell(&backend.stats());
    tell(&backend.key_mangler());
    tell(&backend.properties());
    tell(&backend.mutex(&key("none")).map(|mutex| mutex.is_some()));
    let mutex = backend.mutex(&one).unwrap().expect("it has one");
    let mut lease = mutex.try_acquire(Duration::from_secs(2)).unwrap().unwrap();
    tell(&mutex.renew(&mut lease));
    tell(&mutex.wait(Duration::from_millis(3)));
    tell(&mutex.release(lease));
    tell(&mutex.is_locked());
    told
}

#[test]
fn every_call_goes_through_proxies_that_change_nothing() {
    let direct = every_call(&open("direct", &[]));
    let through = every_call(&open("through", &["plain", "plain"]));
    assert_eq!(direct, through);
    let (calls, mut through) = (noted("direct"), noted("through"));
    // That of the backend, when the proxy dropped it.
    assert_eq!(through.pop().as_deref(), Some("close"));
    assert_eq!(calls, through);
    assert_eq!(calls.len(), 24);
}

#[test]
fn a_proxy_is_closed_without_what_it_wraps() {
    let proxy = open("closed", &["plain"]);
    proxy.close().unwrap();
    assert!(noted("closed").is_empty());
    drop(proxy);
    assert_eq!(noted("closed"), ["close"]);
}

#[test]
fn a_proxy_can_say_something_else_of_itself() {
    let proxy = open("says", &["other"]);
    let properties = proxy.properties();
    assert_eq!(properties.storage, Storage::Bytes);
    assert!(properties.blocking && properties.shared && !properties.exclusive);
    assert_eq!(properties.longest_call, Some(LONGEST_CALL));
    // Without a word of its own it is that of what it wraps.
    assert_eq!(open("silent", &["plain"]).properties().longest_call, None);
    let around = open("around", &["plain", "other"]);
    assert_eq!(around.properties().longest_call, Some(LONGEST_CALL));
    assert_eq!(proxy.key_mangler(), None);
    assert!(!proxy.reconfigure("{}").unwrap());
}

#[test]
fn a_panic_in_a_proxy_is_an_error_that_names_the_method() {
    let proxy = open("panics", &["panics"]);
    for (method, error) in [
        ("get", proxy.get(&key("one")).err()),
        ("mutex", proxy.mutex(&key("one")).err()),
        ("close", proxy.close().err()),
    ] {
        let error = error.expect("it panics");
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert_eq!(
            error.message(),
            format!("panicked in {method}: over the edge")
        );
    }
}

#[test]
fn what_a_proxy_that_does_not_open_was_given_is_dropped() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);

    struct Counts(Arc<()>);
    impl Backend for Counts {
        type Arguments = NoArguments;
        fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
            Ok(Self(Arc::default()))
        }
        fn get(&self, _: &Key) -> Result<Option<Value>> {
            Ok(None)
        }
        fn set(&self, _: &Key, _: &Value) -> Result<()> {
            Ok(())
        }
        fn delete(&self, _: &Key) -> Result<()> {
            Ok(())
        }
    }
    impl Drop for Counts {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
            assert_eq!(Arc::strong_count(&self.0), 1);
        }
    }

    let backend = Offered {
        plugin: Plugin::of_backend::<Counts>("counts"),
        name: "counts",
        arguments: "{}",
    };
    for (at, (name, arguments, kind)) in [
        ("unwilling", r#"{"panics": false}"#, ErrorKind::Arguments),
        ("unwilling", r#"{"panics": true}"#, ErrorKind::Panic),
        ("unwilling", r#"{"unknown": 1}"#, ErrorKind::Arguments),
        ("nosuch", "{}", ErrorKind::Unsupported),
    ]
    .into_iter()
    .enumerate()
    {
        let proxy = Offered {
            plugin: plugin(),
            name,
            arguments,
        };
        let error = host()
            .open(backend, &[proxy])
            .err()
            .expect("it does not open");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(DROPPED.load(Ordering::SeqCst) as usize, at + 1, "{error}");
    }
}

#[test]
fn a_plugin_says_which_proxies_it_has() {
    let info = plugin().describe().unwrap();
    let names: Vec<_> = info.proxies.iter().map(|proxy| &*proxy.name).collect();
    assert_eq!(names, ["plain", "unwilling", "panics", "other"]);
    let arguments = info.proxies[1].arguments.to_string();
    assert!(arguments.contains("panics"), "{arguments}");
    let info = Plugin::of_proxy::<Plain>("own").describe().unwrap();
    assert_eq!(info.proxies[0].name, "own");
}
