//! Creators that wait for themselves or for one another.

use crate::support::{Gate, Gotten, HASH, Store, Table, call, table, until_waiting};
use dogpile_lock::{Clock, Flights, LockError, Source, WaitGraph};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// A creator's way to fail with what its inner call gave.
fn inner(gotten: Gotten) -> Result<u64, String> {
    gotten
        .map(|outcome| outcome.value)
        .map_err(|error| error.to_string())
}

#[test]
fn a_creator_that_waits_for_its_own_key_gets_an_error() {
    let flights = table();
    let store = Store::empty();
    let outcome = call(&flights, "key", &store, None, || {
        let error = call(&flights, "key", &store, None, || Ok(0)).unwrap_err();
        assert_eq!(error, LockError::Circle(vec!["key".to_owned()]));
        Ok(store.make())
    });
    assert_eq!(outcome.unwrap().source, Source::Created);
}

#[test]
fn a_creator_of_an_expired_value_gets_the_stale_one_under_its_own_key() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let store = Store::new(clock, 10);
    store.make();
    hand.advance(Duration::from_nanos(11));
    let outcome = call(&flights, "key", &store, None, || {
        let previous = call(&flights, "key", &store, None, || Ok(0)).unwrap();
        assert_eq!((previous.value, previous.source), (1, Source::Stale));
        Ok(store.make())
    });
    assert_eq!(outcome.unwrap().value, 2);
}

/// Each thread creates its own key and asks for the next one's in the meantime. Gives what the inner calls gave.
fn ring(tables: &[&Table], keys: &[&str]) -> Vec<Gotten> {
    let stores: Vec<Store> = keys.iter().map(|_| Store::empty()).collect();
    let all_create = Barrier::new(keys.len());
    thread::scope(|scope| {
        let run = |at: usize| {
            let next = (at + 1) % keys.len();
            let (flights, stores, all_create) = (tables, &stores, &all_create);
            scope.spawn(move || {
                let mut seen = None;
                let _outer = call(flights[at], keys[at], &stores[at], None, || {
                    all_create.wait();
                    let gotten = call(flights[next], keys[next], &stores[next], None, || Ok(0));
                    seen = Some(gotten.clone());
                    inner(gotten).map(|_| stores[at].make())
                });
                seen.expect("the creator has run")
            })
        };
        let threads: Vec<_> = (0..keys.len()).map(run).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn circles(gotten: &[Gotten]) -> Vec<Vec<String>> {
    let circle = |gotten: &Gotten| match gotten {
        Err(LockError::Circle(keys)) => Some(keys.clone()),
        _ => None,
    };
    gotten.iter().filter_map(circle).collect()
}

#[test]
fn of_two_creators_that_wait_for_each_other_one_gets_an_error() {
    let flights = table();
    let gotten = ring(&[&flights, &flights], &["a", "b"]);
    let circles = circles(&gotten);
    assert_eq!(circles.len(), 1, "{gotten:?}");
    assert_eq!(circles[0].len(), 2);
}

#[test]
fn a_circle_over_several_tables_is_seen_and_names_its_keys() {
    let graph = WaitGraph::new();
    let tables: Vec<Table> = (0..3).map(|_| Flights::new(graph.clone())).collect();
    let tables: Vec<&Table> = tables.iter().collect();
    let gotten = ring(&tables, &["a", "b", "c"]);
    let mut circles = circles(&gotten);
    assert_eq!(circles.len(), 1, "{gotten:?}");
    circles[0].sort();
    assert_eq!(circles[0], ["a", "b", "c"]);
}

#[test]
fn a_wait_that_was_given_up_is_no_part_of_a_circle() {
    let flights = table();
    let [a, b] = [(); 2].map(|()| Store::empty());
    let (created, gave_up) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            call(&flights, "b", &b, None, || {
                created.open();
                gave_up.pass();
                // Its creator waits for nobody any more.
                inner(call(&flights, "a", &a, None, || Ok(0))).map(|_| b.make())
            })
        });
        created.pass();
        let outer = call(&flights, "a", &a, None, || {
            let impatient = Some(Duration::from_millis(1));
            let gotten = call(&flights, "b", &b, impatient, || Ok(0));
            assert!(matches!(gotten, Err(LockError::TimedOut(_))), "{gotten:?}");
            gave_up.open();
            until_waiting(&flights, "a", 1);
            Ok(a.make())
        });
        assert_eq!(outer.unwrap().source, Source::Created);
        assert_eq!(other.join().unwrap().unwrap().source, Source::Created);
    });
}

/// Creates the first key, and in its creator the next one, and so on.
fn descend(flights: &Table, stores: &[Store], keys: &[&str]) -> Result<u64, String> {
    let (Some(store), Some(key)) = (stores.first(), keys.first()) else {
        return Ok(0);
    };
    inner(call(flights, key, store, None, || {
        descend(flights, &stores[1..], &keys[1..])?;
        Ok(store.make())
    }))
}

#[test]
fn waiting_behind_a_long_chain_is_no_circle() {
    let flights = table();
    let stores: Vec<Store> = (0..5).map(|_| Store::empty()).collect();
    let keys = ["a", "b", "c", "d", "e"];
    thread::scope(|scope| {
        for _ in 0..4 {
            for from in 0..keys.len() {
                let (flights, stores, keys) = (&flights, &stores[from..], &keys[from..]);
                scope.spawn(move || assert_eq!(descend(flights, stores, keys), Ok(1)));
            }
        }
    });
}

#[test]
fn who_took_the_turn_over_may_be_waited_for_by_who_lost_it() {
    let flights = table();
    let (a, b) = (Store::empty(), Store::empty());
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            until_creating(&flights, "a");
            // Takes "a" over when its creator panics, and ends it only when that one has come to wait for it.
            call(&flights, "a", &a, None, || {
                inner(call(&flights, "b", &b, None, || Ok(b.make())))?;
                until_waiting(&flights, "a", 1);
                Ok(a.make())
            })
        });
        let panics = || {
            call(&flights, "a", &a, None, || -> Result<u64, String> {
                until_waiting(&flights, "a", 1);
                panic!("on purpose")
            })
        };
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
        assert!(panicked.is_err());
        let outcome = call(&flights, "a", &a, None, || Ok(0)).unwrap();
        assert_eq!((outcome.value, outcome.source), (1, Source::Waited));
        assert_eq!(second.join().unwrap().unwrap().source, Source::Created);
    });
}

fn until_creating(flights: &Table, key: &str) {
    while !flights.is_creating(HASH, key) {
        thread::yield_now();
    }
}
