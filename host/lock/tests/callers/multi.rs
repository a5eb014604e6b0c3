//! Several keys in one call.

use crate::executor::{Executor, block_on, until};
use crate::many::{Many, call_many, left_out, made, request, sources};
use crate::support::{Gate, HASH, Store, call, table, until_waiting};
use crate::task::{call_task, never};
use dogpile_lock::{Clock, LockError, Source};
use std::cell::{Cell, RefCell};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn five_threads_that_miss_the_same_keys_create_each_once() {
    let flights = table();
    let stores: [Store; 4] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b", "c", "d"].into_iter().zip(&stores).collect();
    let start = Barrier::new(5);
    let created = Mutex::new(0);
    thread::scope(|scope| {
        for at in 0..5 {
            let (flights, keys, start, created) = (&flights, &keys, &start, &created);
            scope.spawn(move || {
                // Each in an order of its own.
                let mut own = keys.clone();
                own.rotate_left(at % 4);
                start.wait();
                let gotten = call_many(flights, &own, None, |numbers| made(&own, numbers));
                let gotten = gotten.unwrap().into_iter().flatten();
                for got in gotten.inspect(|got| assert_eq!(got.value, 1)) {
                    *created.lock().unwrap() += usize::from(got.source == Source::Created);
                }
            });
        }
    });
    assert_eq!(created.into_inner().unwrap(), 4);
    assert!(stores.iter().all(|store| store.creations() == 1));
}

#[test]
fn one_call_of_the_creator_makes_all_that_is_missing_and_stale() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let stores: [Store; 3] = std::array::from_fn(|_| Store::new(clock.clone(), 10));
    stores[1].make();
    hand.advance(Duration::from_nanos(11));
    stores[2].make();
    let keys: Vec<_> = ["a", "b", "c"].into_iter().zip(&stores).collect();
    let mut calls = Vec::new();
    let gotten = call_many(&flights, &keys, None, |numbers| {
        calls.push(numbers.to_vec());
        made(&keys, numbers)
    });
    assert_eq!(calls, [[0, 1]]);
    let expected = [Source::Created, Source::Created, Source::Fresh].map(Some);
    assert_eq!(sources(&gotten), expected);
    let values: Vec<_> = gotten.unwrap().into_iter().flatten().collect();
    assert_eq!(
        values.iter().map(|got| got.value).collect::<Vec<_>>(),
        [1, 2, 1]
    );
    assert_eq!(stores[1].stored(), Some(2));
}

#[test]
fn a_request_of_no_keys_has_no_values_and_calls_nobody() {
    let gotten = call_many(&table(), &[], None, |_| panic!("nothing is missing"));
    assert_eq!(gotten, Ok(vec![]));
}

#[test]
fn stale_values_that_others_create_are_served_at_once() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::new(clock.clone(), 10));
    for store in &stores {
        store.make();
    }
    hand.advance(Duration::from_nanos(11));
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let _turn = flights.try_turn(HASH, "a").unwrap();
    let gotten = call_many(&flights, &keys, None, |numbers| {
        assert_eq!(numbers, [1]);
        made(&keys, numbers)
    });
    let expected = [Some(Source::Stale), Some(Source::Created)];
    assert_eq!(sources(&gotten), expected);
}

#[test]
fn what_is_left_out_is_nothing_for_all_who_asked_for_several_and_not_stored() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let creating = Gate::default();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            creating.pass();
            call_many(&flights, &keys, None, |_| panic!("another creates both"))
        });
        let gotten = call_many(&flights, &keys, None, |numbers| {
            assert_eq!(numbers, [0, 1]);
            creating.open();
            until_waiting(&flights, "a", 1);
            until_waiting(&flights, "b", 1);
            Ok(vec![Ok(1), left_out()])
        });
        assert_eq!(sources(&gotten), [Some(Source::Created), None]);
        let other = other.join().unwrap();
        assert_eq!(sources(&other), [Some(Source::Waited), None]);
    });
    assert_eq!(stores[1].stored(), None);
    let single = call(&flights, "b", &stores[1], None, || Ok(stores[1].make()));
    assert_eq!(single.unwrap().source, Source::Created);
}

#[test]
fn what_others_came_to_that_began_before_a_deletion_is_nothing_for_who_came_after() {
    for fails in [false, true] {
        let flights = table();
        let (a, b) = (Store::empty(), Store::empty());
        let keys = [("a", &a), ("b", &b)];
        let (creating, finish) = (Gate::default(), Gate::default());
        thread::scope(|scope| {
            let old = scope.spawn(|| {
                call_many(&flights, &keys, None, |numbers| {
                    creating.open();
                    finish.pass();
                    if fails {
                        return Err("no rows".to_owned());
                    }
                    Ok(numbers.iter().map(|_| left_out()).collect())
                })
            });
            creating.pass();
            flights.delete(HASH, "a");
            let new = scope.spawn(|| {
                let keys = [("a", &a)];
                call_many(&flights, &keys, None, |numbers| made(&keys, numbers))
            });
            until_waiting(&flights, "a", 1);
            finish.open();
            assert_eq!(old.join().unwrap().is_err(), fails);
            assert_eq!(sources(&new.join().unwrap()), [Some(Source::Created)]);
        });
        assert!(a.stored().is_some() && b.stored().is_none());
    }
}

#[test]
fn who_waits_for_one_key_that_is_left_out_creates_it() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let creating = Gate::default();
    thread::scope(|scope| {
        let single = scope.spawn(|| {
            creating.pass();
            call(&flights, "b", &stores[1], None, || Ok(stores[1].make()))
        });
        let gotten = call_many(&flights, &keys, None, |_| {
            creating.open();
            until_waiting(&flights, "b", 1);
            Ok(vec![Ok(1), left_out()])
        });
        assert_eq!(sources(&gotten), [Some(Source::Created), None]);
        assert_eq!(single.join().unwrap().unwrap().source, Source::Created);
    });
}

#[test]
fn a_panic_hands_each_key_over_and_none_is_left_behind() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let creating = Gate::default();
    thread::scope(|scope| {
        let panics = scope.spawn(|| {
            call_many(&flights, &keys, None, |_| {
                creating.open();
                until_waiting(&flights, "b", 1);
                panic!("on purpose")
            })
        });
        creating.pass();
        let next = call(&flights, "b", &stores[1], None, || Ok(stores[1].make()));
        assert_eq!(next.unwrap().source, Source::Created);
        assert!(panics.join().is_err());
    });
    assert!(!flights.is_creating(HASH, "a"));
}

#[test]
fn one_whose_patience_ends_keeps_what_it_created_for_others() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let _turn = flights.try_turn(HASH, "b").unwrap();
    let wait = Duration::from_millis(1);
    let gotten = call_many(&flights, &keys, Some(wait), |numbers| made(&keys, numbers));
    assert_eq!(gotten, Err(LockError::TimedOut(wait)));
    assert_eq!(stores[0].stored(), Some(1));
    assert_eq!(flights.waiting(HASH, "b"), 0);
}

/// Comes late, when the caller is busy with the first key: `take` is called by the creator of the first.
fn turn_while_busy(panics: bool) {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let turn = Cell::new(flights.try_turn(HASH, "b"));
    let calls = RefCell::new(Vec::new());
    let gotten = call_many(&flights, &keys, None, |numbers| {
        calls.borrow_mut().push(numbers.to_vec());
        if numbers == [0] {
            // Its creator gives up, and nobody but this caller waits, who needs the key at once.
            assert_eq!(flights.waiting(HASH, "b"), 1);
            drop(turn.take());
            let inner = call(&flights, "b", &stores[1], None, || {
                if panics {
                    return Err("no b".to_owned());
                }
                Ok(stores[1].make())
            });
            assert_eq!(inner.is_err(), panics);
        }
        made(&keys, numbers)
    });
    let expected: &[&[usize]] = if panics { &[&[0], &[1]] } else { &[&[0]] };
    assert_eq!(*calls.borrow(), expected);
    let second = if panics {
        Source::Created
    } else {
        Source::Fresh
    };
    assert_eq!(sources(&gotten), [Some(Source::Created), Some(second)]);
    assert!(!flights.is_creating(HASH, "b"));
}

#[test]
fn a_turn_for_a_key_is_not_kept_by_a_caller_that_is_creating_another() {
    turn_while_busy(false);
    turn_while_busy(true);
}

#[test]
fn turns_that_come_together_are_used_together() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let calls = RefCell::new(Vec::new());
    let mut many = Many {
        keys: &keys,
        creator: async |numbers: &[usize]| {
            calls.borrow_mut().push(numbers.to_vec());
            made(&keys, numbers)
        },
        fault: None,
    };
    let turns = ["a", "b"].map(|key| flights.try_turn(HASH, key).unwrap());
    let mut executor = Executor::default();
    executor.spawn(async {
        let request = request(&keys, None);
        let gotten = flights
            .get_or_create_multi_async(request, &mut many, never)
            .await;
        let mut sources = sources(&gotten).into_iter();
        assert!(sources.all(|source| source == Some(Source::Created)));
    });
    executor.run_what_is_ready();
    drop(turns);
    executor.run();
    drop(executor);
    let mut calls = calls.into_inner();
    calls[0].sort_unstable();
    assert_eq!(calls, [[0, 1]]);
}

#[test]
fn tasks_of_one_thread_share_several_keys() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let mut executor = Executor::default();
    executor.spawn(async {
        let creator = async || {
            until(|| flights.waiting(HASH, "b") == 1).await;
            Ok(stores[1].number())
        };
        let outcome = call_task(&flights, "b", &stores[1], creator).await;
        assert_eq!(outcome.unwrap().source, Source::Created);
    });
    executor.spawn(async {
        let mut many = Many {
            keys: &keys,
            creator: async |numbers: &[usize]| made(&keys, numbers),
            fault: None,
        };
        let request = request(&keys, None);
        let gotten = flights
            .get_or_create_multi_async(request, &mut many, never)
            .await;
        let expected = [Some(Source::Created), Some(Source::Waited)];
        assert_eq!(sources(&gotten), expected);
    });
    executor.run();
}

#[test]
fn a_creator_of_several_that_asks_for_one_of_them_gets_an_error() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let gotten = block_on(async {
        let mut many = Many {
            keys: &keys,
            creator: async |numbers: &[usize]| {
                let inner = call_task(&flights, "b", &stores[1], async || Ok(0)).await;
                assert_eq!(inner, Err(LockError::Circle(vec!["b".to_owned()])));
                made(&keys, numbers)
            },
            fault: None,
        };
        let request = request(&keys, None);
        flights
            .get_or_create_multi_async(request, &mut many, never)
            .await
    });
    assert_eq!(sources(&gotten), [Some(Source::Created); 2]);
}
