//! Objects whose drop calls the backend that drops them.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::testing::TestHost;
use dogpile_plugin_api::{BackendInstance, Metadata, Object, Value};

use crate::support::{has, object, open, store};

const SECOND: u64 = 1_000_000_000;

struct Acts(Box<dyn Fn() + Send + Sync>);

impl Drop for Acts {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A backend with one shard, so that every call needs the same lock, and what its values tell when they are dropped.
struct Tested {
    host: Arc<TestHost>,
    backend: Arc<BackendInstance>,
    tell: mpsc::Sender<()>,
}

impl Tested {
    /// Stores a value that calls for everything as it is dropped.
    fn store_acting(&self, text: &str, keep_until: u64) {
        let (host, backend) = (Arc::clone(&self.host), Arc::clone(&self.backend));
        let tell = self.tell.clone();
        let act = move || {
            has(&host, &backend, "own");
            let key = host.key("own");
            backend.delete(&key.as_key()).unwrap();
            store(&host, &backend, "by a drop");
            backend.delete(&host.key("by a drop").as_key()).unwrap();
            backend.stats().unwrap();
            tell.send(()).unwrap();
        };
        let metadata = Metadata {
            created: 1,
            started: 1,
            keep_until,
            weight: 1,
        };
        let key = self.host.key(text);
        let value = Object::new(&metadata, key.as_key(), Acts(Box::new(act)));
        self.set(text, &value.into_value());
    }

    fn set(&self, text: &str, value: &Value) {
        let key = self.host.key(text);
        self.backend.set(&key.as_key(), value).unwrap();
    }
}

/// Runs `work`, which makes `acting` be dropped in one way, on a backend with those arguments.
fn acts_once(what: &'static str, arguments: &'static str, work: fn(&Tested)) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        let host = Arc::new(TestHost::at(1_000 * SECOND));
        let backend = Arc::new(open(&host, arguments));
        let (tell, told) = mpsc::channel();
        let tested = Tested {
            host,
            backend,
            tell,
        };
        work(&tested);
        assert_eq!(told.try_iter().count(), 1, "{what}");
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(Duration::from_secs(20)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: a drop waits for its own shard"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn values_are_dropped_under_no_lock_however_they_go() {
    const FEW: &str = r#"{"max_entries": 2}"#;
    acts_once("stored over", FEW, |on| {
        on.store_acting("acting", 0);
        store(&on.host, &on.backend, "acting");
    });
    acts_once("evicted", FEW, |on| {
        on.store_acting("acting", 0);
        for text in ["1", "2", "3", "4"] {
            store(&on.host, &on.backend, text);
        }
    });
    acts_once("evicted by weight", r#"{"max_bytes": 10}"#, |on| {
        on.store_acting("acting", 0);
        let key = on.host.key("heavy");
        on.set("heavy", &object(key.as_key(), 10, 0));
    });
    acts_once(
        "stored over by what is too heavy",
        r#"{"max_bytes": 10}"#,
        |on| {
            on.store_acting("acting", 0);
            let key = on.host.key("acting");
            on.set("acting", &object(key.as_key(), 11, 0));
        },
    );
    acts_once("past its end", FEW, |on| {
        on.store_acting("acting", on.host.context().now() + SECOND);
        on.host.advance(Duration::from_secs(2));
        store(&on.host, &on.backend, "1");
    });
    acts_once("idle", r#"{"max_entries": 2, "time_to_idle": 60}"#, |on| {
        on.store_acting("acting", 0);
        on.host.advance(Duration::from_secs(61));
        assert!(!has(&on.host, &on.backend, "acting"));
    });
    acts_once("deleted", FEW, |on| {
        on.store_acting("acting", 0);
        let key = on.host.key("acting");
        on.backend.delete(&key.as_key()).unwrap();
    });
    acts_once("cleared", FEW, |on| {
        on.store_acting("acting", 0);
        on.backend.clear().unwrap();
    });
}
