//! Calls over the boundary, there and back: values, errors, panics and what is left of them.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{
    Backend, BackendInstance, BackendStats, Deserialize, Error, ErrorKind, Guarded, HostContext,
    JsonSchema, Key, KeyMangler, Lease, Metadata, Mutex, NoArguments, Object, Result, Storage,
    Value, export_plugin,
};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Arguments {
    #[serde(default)]
    panics: bool,
}

/// Answers with what its arguments say.
struct Echo {
    panics: bool,
    kept: std::sync::Mutex<Option<Value>>,
}

/// What `Echo` says of itself.
const LONGEST_CALL: Duration = Duration::from_secs(7);

static DROPPED: AtomicU32 = AtomicU32::new(0);

impl Echo {
    fn check(&self) {
        assert!(!self.panics, "as told");
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
        self.check();
    }
}

impl Backend for Echo {
    type Arguments = Arguments;

    fn open(arguments: Arguments, host: &HostContext) -> Result<Self> {
        let key = host.key("made by the plugin");
        assert_eq!(key.as_key().as_str(), "made by the plugin");
        Ok(Self {
            panics: arguments.panics,
            kept: std::sync::Mutex::default(),
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.check();
        match key.as_str() {
            "missing" => Ok(None),
            "fails" => Err(Error::unavailable("no route")),
            "kept" => Ok(self.kept.lock().unwrap().clone()),
            other => Ok(Some(Value::from(other.as_bytes()))),
        }
    }

    fn set(&self, _: &Key, value: &Value) -> Result<()> {
        self.check();
        *self.kept.lock().unwrap() = Some(value.clone());
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        self.check();
        *self.kept.lock().unwrap() = None;
        Ok(())
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.check();
        // The contract is broken for one special key.
        keys.iter()
            .filter(|key| key.as_str() != "left out")
            .map(|key| self.get(key))
            .collect()
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.get_multi(keys)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.check();
        let mut stats = BackendStats::default();
        stats.entries = Some(3);
        Ok(stats)
    }

    fn clear(&self) -> Result<()> {
        self.check();
        Err(Error::unsupported("never"))
    }

    fn ping(&self) -> Result<()> {
        self.check();
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.check();
        Ok(())
    }

    fn storage(&self) -> Storage {
        Storage::Objects
    }

    fn blocking(&self) -> bool {
        false
    }

    fn longest_call(&self) -> Option<Duration> {
        Some(LONGEST_CALL)
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn Mutex>>> {
        self.check();
        Ok(Some(Box::new(Never)))
    }

    fn set_guarded(&self, _: &Key, _: &Value, lease: &Lease) -> Result<Guarded> {
        self.check();
        Ok(if lease.tag == 7 {
            Guarded::Stored
        } else {
            Guarded::LeaseLost
        })
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.check();
        // As above.
        entries
            .iter()
            .filter(|(key, ..)| key.as_str() != "left out")
            .map(|(key, value, lease)| self.set_guarded(key, value, lease))
            .collect()
    }

    fn key_mangler(&self) -> Option<&str> {
        Some("twice")
    }

    fn reconfigure(&self, arguments: &Arguments) -> Result<bool> {
        self.check();
        Ok(!arguments.panics)
    }
}

struct Never;

impl Mutex for Never {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let taken = Lease::new([1; 16], 2).tagged(7);
        Ok(lease.is_zero().then_some(taken))
    }
    fn wait(&self, _: Duration) -> Result<()> {
        Err(Error::unavailable("gone"))
    }
    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        lease.expires += 1;
        Ok(true)
    }
    fn release(&self, lease: Lease) -> Result<()> {
        assert_eq!(lease.expires, 3, "not the renewed lease");
        Ok(())
    }
    fn is_locked(&self) -> Result<bool> {
        Ok(true)
    }
}

struct Twice;

impl KeyMangler for Twice {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn mangle(&self, key: &str) -> Result<String> {
        assert_ne!(key, "panics");
        Ok(key.repeat(2))
    }
}

export_plugin! { backends: { "echo" => Echo }, manglers: { "twice" => Twice } }

fn open(arguments: &str) -> BackendInstance {
    plugin()
        .open_backend("echo", arguments, host().raw())
        .unwrap()
}

fn key(text: &str) -> Key<'_> {
    Key::new(text, 1)
}

#[test]
fn values_misses_and_errors_come_back_as_they_are() {
    let echo = open("{}");
    assert_eq!(
        echo.get(&key("text")).unwrap().unwrap().as_bytes(),
        Some(&b"text"[..])
    );
    assert_eq!(echo.get(&key("missing")).unwrap(), None);
    let error = echo.get(&key("fails")).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, "no route")
    );
    assert_eq!(echo.clear().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(echo.stats().unwrap().entries, Some(3));
    assert_eq!(echo.key_mangler(), Some("twice"));
    assert!(!echo.properties().blocking);
    assert_eq!(echo.properties().longest_call, Some(LONGEST_CALL));
    assert_eq!(echo.properties().storage, Storage::Objects);
    assert!(echo.reconfigure("{}").unwrap());
    assert!(!echo.reconfigure(r#"{"panics": true}"#).unwrap());
}

#[test]
fn an_object_goes_through_without_a_copy_and_with_exact_counts() {
    let echo = open("{}");
    let object = Object::new(&Metadata::default(), key("kept"), vec![1, 2, 3]);
    echo.set(&key("kept"), object.as_value()).unwrap();
    assert_eq!(object.as_value().references(), 2);
    let got = echo.get(&key("kept")).unwrap().unwrap();
    assert_eq!(got.address(), object.as_value().address());
    assert_eq!(object.as_value().references(), 3);
    assert_eq!(*Object::<Vec<i32>>::from_value(got).unwrap(), [1, 2, 3]);
    assert_eq!(object.as_value().references(), 2);
    echo.delete(&key("kept")).unwrap();
    assert_eq!(object.as_value().references(), 1);
}

#[test]
fn many_keys_keep_their_order_and_gaps() {
    let echo = open("{}");
    let got = echo
        .get_multi(&[key("b"), key("missing"), key("a")])
        .unwrap();
    let bytes: Vec<_> = got
        .iter()
        .map(|value| value.as_ref().and_then(Value::as_bytes))
        .collect();
    assert_eq!(bytes, [Some(&b"b"[..]), None, Some(&b"a"[..])]);
    assert_eq!(echo.get_multi(&[]).unwrap(), []);
    assert_eq!(
        echo.get_multi(&[key("a"), key("left out")])
            .unwrap_err()
            .kind(),
        ErrorKind::Contract
    );
    let fresh = echo.get_multi_fresh(&[key("missing"), key("a")]).unwrap();
    assert!(fresh[0].is_none() && fresh[1].is_some());
    let fresh = echo.get_multi_fresh(&[key("a"), key("left out")]);
    assert_eq!(
        fresh.unwrap_err().message(),
        "get_multi_fresh answered 1 times for 2 keys"
    );
    let value = Value::from(vec![7]);
    echo.set_multi(&[(key("kept"), value.clone()), (key("kept"), value.clone())])
        .unwrap();
    assert_eq!(value.references(), 2);
    echo.delete_multi(&[key("kept"), key("kept")]).unwrap();
    assert_eq!(value.references(), 1);
}

#[test]
fn a_mutex_and_its_lease_go_through() {
    let echo = open("{}");
    let mutex = echo.mutex(&key("k")).unwrap().unwrap();
    assert_eq!(mutex.try_acquire(Duration::from_secs(1)).unwrap(), None);
    let mut lease = mutex.try_acquire(Duration::ZERO).unwrap().unwrap();
    assert!(mutex.renew(&mut lease).unwrap());
    assert!(mutex.is_locked().unwrap());
    assert_eq!(
        mutex.wait(Duration::MAX).unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    let value = Value::from(vec![1]);
    assert_eq!(
        echo.set_guarded(&key("k"), &value, &lease).unwrap(),
        Guarded::Stored
    );
    let lost = lease.tagged(0);
    assert_eq!(
        echo.set_guarded(&key("k"), &value, &lost).unwrap(),
        Guarded::LeaseLost
    );
    let many = |last| {
        [
            (key("k"), value.clone(), lost),
            (key(last), value.clone(), lease),
        ]
    };
    assert_eq!(
        echo.set_guarded_multi(&many("l")).unwrap(),
        [Guarded::LeaseLost, Guarded::Stored]
    );
    let answered = echo.set_guarded_multi(&many("left out"));
    assert_eq!(answered.unwrap_err().kind(), ErrorKind::Contract);
    assert_eq!(value.references(), 1);
    mutex.release(lease).unwrap();
    assert_eq!(
        mutex.release(Lease::new(lost.token, 0)).unwrap_err().kind(),
        ErrorKind::Panic
    );
}

#[test]
fn a_panic_in_any_method_is_an_error_that_names_it() {
    let echo = open(r#"{"panics": true}"#);
    let (k, value) = (key("text"), Value::from(vec![1]));
    let lease = Lease::new([0; 16], 0);
    let errors = [
        ("get", echo.get(&k).map(drop)),
        ("get_fresh", echo.get_fresh(&k).map(drop)),
        ("set", echo.set(&k, &value)),
        ("delete", echo.delete(&k)),
        ("get_multi", echo.get_multi(&[k]).map(drop)),
        ("get_multi_fresh", echo.get_multi_fresh(&[k]).map(drop)),
        ("set_multi", echo.set_multi(&[(k, value.clone())])),
        (
            "set_guarded_multi",
            echo.set_guarded_multi(&[(k, value.clone(), lease)])
                .map(drop),
        ),
        ("delete_multi", echo.delete_multi(&[k])),
        ("clear", echo.clear()),
        ("ping", echo.ping()),
        ("stats", echo.stats().map(drop)),
        ("close", echo.close()),
        ("mutex", echo.mutex(&k).map(drop)),
        (
            "set_guarded",
            echo.set_guarded(&k, &value, &lease).map(drop),
        ),
        ("reconfigure", echo.reconfigure("{}").map(drop)),
    ];
    for (method, outcome) in errors {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert_eq!(error.message(), format!("panicked in {method}: as told"));
    }
    assert_eq!(value.references(), 1);
    // Its drop panics too, which goes no further than a log.
    let before = DROPPED.load(Ordering::SeqCst);
    drop(echo);
    assert!(DROPPED.load(Ordering::SeqCst) > before);
}

#[test]
fn a_mangler_goes_through_and_its_panic_is_an_error() {
    let twice = plugin().open_mangler("twice", "{}", host().raw()).unwrap();
    assert_eq!(twice.mangle("äb").unwrap(), "äbäb");
    let error = twice.mangle("panics").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
}

#[test]
fn what_a_plugin_does_not_have_or_take_is_refused_with_its_place() {
    let refused = |name: &str, arguments: &str| {
        plugin()
            .open_backend(name, arguments, host().raw())
            .err()
            .unwrap()
    };
    assert_eq!(refused("other", "{}").kind(), ErrorKind::Unsupported);
    let error = refused("echo", r#"{"panic": true}"#);
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Arguments, Some("panic"))
    );
    let error = refused("echo", r#"{"panics": 1}"#);
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Arguments, Some("panics"))
    );
    assert_eq!(refused("echo", "{").kind(), ErrorKind::Arguments);
    assert!(plugin().open_mangler("other", "{}", host().raw()).is_err());
}

#[test]
fn a_plugin_says_what_it_is() {
    let info = plugin().describe().unwrap();
    assert_eq!(info.package, env!("CARGO_PKG_NAME"));
    assert_eq!(info.backends[0].name, "echo");
    assert!(info.backends[0].arguments["properties"]["panics"].is_object());
    assert_eq!(info.manglers[0].name, "twice");
}
