//! Arguments that are changed while it is in use.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::testing::{TestHost, host};

use crate::support::{Numbers, has, held, object, open, store};

const SECOND: u64 = 1_000_000_000;

fn count(host: &TestHost, backend: &dogpile_plugin_api::BackendInstance, keys: u64) -> usize {
    let stored = (0..keys).filter(|key| has(host, backend, &key.to_string()));
    stored.count()
}

#[test]
fn other_limits_keep_what_fits_and_hold_from_then_on() {
    let host = host();
    // One shard, and many.
    for most in [100_u64, 20_000] {
        let backend = open(&host, &format!(r#"{{"max_entries": {most}}}"#));
        let fill = || (0..most).for_each(|key| store(&host, &backend, &key.to_string()));
        let limit = |arguments: &str| assert!(backend.reconfigure(arguments).unwrap());
        fill();
        limit(&format!(r#"{{"max_entries": {}}}"#, most * 2));
        assert_eq!(count(&host, &backend, most), usize::try_from(most).unwrap());
        limit(r#"{"max_entries": 7}"#);
        assert_eq!((held(&backend).0, count(&host, &backend, most)), (7, 7));
        assert_eq!(backend.stats().unwrap().evictions, Some(most - 7));
        store(&host, &backend, "one more");
        assert_eq!(held(&backend).0, 7);
        // What was not counted until now is.
        limit(r#"{"max_entries": "unbounded"}"#);
        fill();
        limit(r#"{"max_entries": "unbounded", "max_bytes": 9}"#);
        assert_eq!(held(&backend), (9, 9));
        fill();
        assert_eq!(held(&backend), (9, 9));
        limit(r#"{"max_entries": 5}"#);
        fill();
        assert_eq!(held(&backend), (5, 5));
    }
}

#[test]
fn a_value_that_is_heavier_than_a_new_limit_goes() {
    let host = host();
    let backend = open(&host, "{}");
    let key = host.key("heavy");
    let value = object(key.as_key(), 100, 0);
    backend.set(&key.as_key(), &value).unwrap();
    assert!(backend.reconfigure(r#"{"max_bytes": 99}"#).unwrap());
    assert_eq!(held(&backend), (0, 0));
    backend.set(&key.as_key(), &value).unwrap();
    assert_eq!(held(&backend), (0, 0));
}

#[test]
fn an_idle_time_begins_for_all_when_it_is_set() {
    let host = TestHost::at(1_700_000_000 * SECOND);
    let backend = open(&host, "{}");
    store(&host, &backend, "a");
    store(&host, &backend, "b");
    host.advance(Duration::from_secs(1000));
    assert!(backend.reconfigure(r#"{"time_to_idle": 60}"#).unwrap());
    host.advance(Duration::from_secs(50));
    assert!(has(&host, &backend, "a"));
    host.advance(Duration::from_secs(50));
    assert!(has(&host, &backend, "a") && !has(&host, &backend, "b"));
    // A longer one goes on with what is known.
    assert!(backend.reconfigure(r#"{"time_to_idle": 200}"#).unwrap());
    host.advance(Duration::from_secs(150));
    assert!(has(&host, &backend, "a"));
    assert!(backend.reconfigure("{}").unwrap());
    host.advance(Duration::from_secs(1000));
    assert!(has(&host, &backend, "a"));
}

#[test]
fn another_storage_wants_another_instance() {
    let host = host();
    let backend = open(&host, r#"{"max_entries": 5}"#);
    assert!(
        !backend
            .reconfigure(r#"{"max_entries": 1, "storage": "bytes"}"#)
            .unwrap()
    );
    for key in 0..5 {
        store(&host, &backend, &key.to_string());
    }
    assert_eq!(held(&backend).0, 5);
}

/// Ends the threads, also where the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn limits_change_under_threads_and_hold_all_the_same() {
    let host = host();
    let backend = open(&host, r#"{"max_entries": 5000}"#);
    let done = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    thread::scope(|scope| {
        let _end = End(&done);
        for seed in 1..=3 {
            let (host, backend, done, calls) = (&host, &backend, &done, &calls);
            scope.spawn(move || {
                let _end = End(done);
                let mut numbers = Numbers(seed);
                while !done.load(Ordering::Relaxed) {
                    calls.fetch_add(1, Ordering::Relaxed);
                    let key = host.key(numbers.below(20_000).to_string());
                    match numbers.below(8) {
                        0 => backend.delete(&key.as_key()).unwrap(),
                        1 => drop(backend.get(&key.as_key()).unwrap()),
                        _ => {
                            let weight = u32::try_from(1 + numbers.below(300)).unwrap();
                            let value = object(key.as_key(), weight, 0);
                            backend.set(&key.as_key(), &value).unwrap();
                        }
                    }
                }
            });
        }
        for turn in 0..200 {
            // They are at it.
            let before = calls.load(Ordering::Relaxed);
            while calls.load(Ordering::Relaxed) < before + 100 && !done.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            let (entries, bytes) = match turn % 3 {
                0 => ("5000", 100_000),
                1 => ("200", 1_000_000),
                _ => ("\"unbounded\"", 200),
            };
            let arguments = format!(r#"{{"max_entries": {entries}, "max_bytes": {bytes}}}"#);
            assert!(backend.reconfigure(&arguments).unwrap());
            let (held_entries, held_bytes) = held(&backend);
            if turn % 3 == 1 {
                assert!(held_entries <= 200, "{held_entries}");
            }
            assert!(held_bytes <= bytes, "{held_bytes} of {bytes}");
        }
    });
    // Nothing was counted twice or not at all: the room is what it should be.
    assert!(
        backend
            .reconfigure(r#"{"max_entries": 100, "max_bytes": 100000}"#)
            .unwrap()
    );
    backend.clear().unwrap();
    for key in 0..300 {
        store(&host, &backend, &key.to_string());
    }
    assert_eq!(held(&backend), (100, 100));
}
