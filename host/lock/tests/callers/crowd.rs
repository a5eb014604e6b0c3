//! Many threads, one key: one creation per expiry.

use crate::support::{Call, Gate, HASH, Store, call, table, until_waiting};
use dogpile_lock::{Clock, Request, Source};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

const THREADS: usize = if cfg!(miri) { 6 } else { 64 };
const EXPIRIES: usize = if cfg!(miri) { 5 } else { 1_000 };
const EXPIRATION_TIME: u64 = 1_000;
const LATER: Duration = Duration::from_nanos(EXPIRATION_TIME + 1);

#[test]
fn waiters_get_the_result_of_one_creation_without_a_second_read() {
    let flights = table();
    let store = Store::empty();
    let creator = || {
        until_waiting(&flights, "key", THREADS - 1);
        Ok(store.make())
    };
    let sources = Mutex::new(HashMap::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let outcome = call(&flights, "key", &store, None, creator).unwrap();
                assert_eq!(outcome.value, 1);
                *sources.lock().unwrap().entry(outcome.source).or_insert(0) += 1;
            });
        }
    });
    let expected = HashMap::from([(Source::Created, 1), (Source::Waited, THREADS - 1)]);
    assert_eq!(sources.into_inner().unwrap(), expected);
    assert_eq!(store.creations(), 1);
    // The first read of each, and the winner's second.
    assert_eq!(store.reads(), THREADS + 1);
    assert!(!flights.is_creating(HASH, "key"));
}

#[test]
fn each_expiry_has_one_creation_and_all_others_get_the_stale_value_meanwhile() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let store = Store::new(clock, EXPIRATION_TIME);
    store.make();
    let start = Barrier::new(THREADS);
    let stale = AtomicUsize::new(0);
    let created = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=EXPIRIES {
                    if start.wait().is_leader() {
                        hand.advance(LATER);
                        stale.store(0, Ordering::SeqCst);
                    }
                    start.wait();
                    // The creation does not end before everybody else has been served.
                    let creator = || {
                        while stale.load(Ordering::SeqCst) < THREADS - 1 {
                            thread::yield_now();
                        }
                        Ok(store.make())
                    };
                    let outcome = call(&flights, "key", &store, None, creator).unwrap();
                    let round = round as u64;
                    match outcome.source {
                        Source::Stale => {
                            assert_eq!(outcome.value, round);
                            stale.fetch_add(1, Ordering::SeqCst);
                        }
                        Source::Created => {
                            assert_eq!(outcome.value, round + 1);
                            created.fetch_add(1, Ordering::SeqCst);
                        }
                        other => panic!("a stale value was there, but got it {other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(created.into_inner(), EXPIRIES);
    assert_eq!(store.creations(), EXPIRIES + 1);
}

#[test]
fn threads_that_never_stop_calling_create_once_per_expiry() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let store = Store::new(clock, EXPIRATION_TIME);
    let stop = AtomicBool::new(false);
    let stale = AtomicUsize::new(0);
    let (made, news) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let made = made.clone();
            let (flights, store, stop, stale) = (&flights, &store, &stop, &stale);
            scope.spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::SeqCst) {
                    let creator = || {
                        thread::yield_now();
                        let value = store.make();
                        made.send(value).unwrap();
                        Ok(value)
                    };
                    let outcome = call(flights, "key", store, None, creator).unwrap();
                    assert!(outcome.value >= last, "the value went backwards");
                    last = outcome.value;
                    if outcome.source == Source::Stale {
                        stale.fetch_add(1, Ordering::SeqCst);
                    }
                    // Lets the creator and the clock on, where there are fewer cores than threads.
                    thread::yield_now();
                }
            });
        }
        for expiry in 0..=EXPIRIES as u64 {
            assert_eq!(news.recv().unwrap(), expiry + 1);
            if expiry < EXPIRIES as u64 {
                hand.advance(LATER);
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(store.creations(), EXPIRIES + 1);
    assert!(news.try_recv().is_err());
    if !cfg!(miri) {
        assert!(stale.into_inner() > 0, "nobody was served the stale value");
    }
}

#[test]
fn keys_of_equal_hash_do_not_wait_for_each_other() {
    let flights = table();
    let (one, other) = (Store::empty(), Store::empty());
    let creator = || {
        assert!(flights.is_creating(HASH, "one"));
        assert!(!flights.is_creating(HASH, "other"));
        let inner = call(&flights, "other", &other, None, || Ok(other.make()));
        assert_eq!(inner.unwrap().source, Source::Created);
        assert!(flights.is_creating(HASH, "one"));
        Ok(one.make())
    };
    let outcome = call(&flights, "one", &one, None, creator).unwrap();
    assert_eq!(outcome.source, Source::Created);
    assert!(!flights.is_creating(HASH, "one"));
}

#[test]
fn a_caller_whose_first_read_was_too_early_does_not_create_again() {
    let flights = table();
    let store = Store::empty();
    let (read, created) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            let first = store.read();
            read.open();
            created.pass();
            let creator = || -> Result<u64, String> { panic!("the value is there") };
            let mut operation = Call {
                store: &store,
                creator,
            };
            let outcome = flights.get_or_create(Request::new(HASH, "key", first), &mut operation);
            assert_eq!(outcome.unwrap().source, Source::Fresh);
        });
        read.pass();
        call(&flights, "key", &store, None, || Ok(store.make())).unwrap();
        created.open();
    });
    assert_eq!(store.creations(), 1);
}
