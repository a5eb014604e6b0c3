//! The limits hold, whatever is stored and by whom.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dogpile_plugin_api::testing::host;

use crate::support::{Numbers, has, held, object, open, store};

#[test]
fn as_many_entries_as_allowed_are_kept_and_never_more() {
    let host = host();
    for limit in [1, 2, 3, 10, 100, 513, 1024, 10_000] {
        let backend = open(&host, &format!(r#"{{"max_entries": {limit}}}"#));
        for number in 0..limit * 2 {
            let text = number.to_string();
            store(&host, &backend, &text);
            assert!(has(&host, &backend, &text));
            if number % 100 == 0 || number + 3 > limit * 2 {
                assert_eq!(held(&backend).0, (number + 1).min(limit));
            }
        }
        assert_eq!(backend.stats().unwrap().evictions, Some(limit));
    }
}

#[test]
fn weights_are_bounded_and_what_is_too_heavy_is_not_stored() {
    let host = host();
    let backend = open(&host, r#"{"max_entries": "unbounded", "max_bytes": 1000}"#);
    let set = |text: &str, weight| {
        let key = host.key(text);
        let value = object(key.as_key(), weight, 0);
        backend.set(&key.as_key(), &value).unwrap();
    };
    set("a", 1000);
    assert_eq!(held(&backend), (1, 1000));
    set("b", 1);
    assert_eq!(held(&backend), (1, 1));
    set("b", 1001);
    assert!(!has(&host, &backend, "b"));
    assert_eq!(held(&backend), (0, 0));
    for number in 0..30 {
        set(&number.to_string(), 100);
    }
    assert_eq!(held(&backend), (10, 1000));
    set("29", 550);
    assert!(has(&host, &backend, "29"));
    assert_eq!(held(&backend), (5, 950));
    set("29", 50);
    assert_eq!(held(&backend), (5, 450));
    backend.clear().unwrap();
    set("a", 1000);
    assert_eq!(held(&backend), (1, 1000));
}

#[test]
fn a_heavy_value_makes_room_in_all_shards() {
    let host = host();
    let backend = open(
        &host,
        r#"{"max_entries": "unbounded", "max_bytes": "256MiB"}"#,
    );
    let total = 256 << 20;
    for number in 0..256 {
        let key = host.key(number.to_string());
        let value = object(key.as_key(), total / 256, 0);
        backend.set(&key.as_key(), &value).unwrap();
    }
    assert_eq!(held(&backend), (256, u64::from(total)));
    let key = host.key("heavy");
    let value = object(key.as_key(), total, 0);
    backend.set(&key.as_key(), &value).unwrap();
    assert_eq!(held(&backend), (1, u64::from(total)));
    assert!(has(&host, &backend, "heavy"));
}

#[test]
fn the_limits_hold_at_every_moment_under_many_threads() {
    for (limit, weight) in [(1, 10), (7, 40), (1000, 5000), (3000, 100_000)] {
        let host = host();
        let arguments = format!(r#"{{"max_entries": {limit}, "max_bytes": {weight}}}"#);
        let backend = open(&host, &arguments);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|thread| {
                    let (host, backend) = (&host, &backend);
                    scope.spawn(move || {
                        let mut numbers = Numbers(0x1234_5678 + thread);
                        for _ in 0..3000 {
                            let key = host.key(numbers.below(limit * 3).to_string());
                            match numbers.below(10) {
                                0 => backend.delete(&key.as_key()).unwrap(),
                                1..=3 => drop(backend.get(&key.as_key()).unwrap()),
                                _ => {
                                    let weight = u32::try_from(numbers.below(12)).unwrap() + 1;
                                    let value = object(key.as_key(), weight, 0);
                                    backend.set(&key.as_key(), &value).unwrap();
                                }
                            }
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Shards are counted one after the other, so only a single one is a moment.
                    if limit <= 512 {
                        let (entries, bytes) = held(&backend);
                        assert!(entries <= limit && bytes <= weight, "{entries} {bytes}");
                    }
                    thread::yield_now();
                }
            });
            for writer in writers {
                writer.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let (entries, bytes) = held(&backend);
        assert!(entries <= limit && bytes <= weight, "{entries} {bytes}");
        // Nothing that was deleted or replaced is still counted: there is room for all.
        backend.clear().unwrap();
        assert_eq!(held(&backend), (0, 0));
        for number in 0..limit {
            store(&host, &backend, &number.to_string());
        }
        assert_eq!(held(&backend), (limit, limit));
    }
}
