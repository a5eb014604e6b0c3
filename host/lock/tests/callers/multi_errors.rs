//! Several keys in one call, of which some fail.

use crate::many::{Fault, Many, ManyGotten, OUTDATED, call_many, made, request};
use crate::support::{Gate, Gotten, HASH, Store, call, table, until_waiting};
use dogpile_lock::{LockError, Outcome, Source};
use std::thread;

#[test]
fn what_was_created_is_stored_though_another_key_fails() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let creating = Gate::default();
    thread::scope(|scope| {
        let fails = scope.spawn(|| {
            call(&flights, "b", &stores[1], None, || {
                creating.open();
                until_waiting(&flights, "b", 1);
                Err("no b".to_owned())
            })
        });
        creating.pass();
        let gotten = call_many(&flights, &keys, None, |numbers| {
            assert_eq!(numbers, [0]);
            made(&keys, numbers)
        });
        let error = Err(LockError::Creation("no b".to_owned()));
        assert_eq!(gotten, error);
        assert!(fails.join().unwrap().is_err());
    });
    assert_eq!(stores[0].stored(), Some(1));
}

#[test]
fn a_call_goes_on_after_an_error_of_another_that_it_disregards() {
    let flights = table();
    let stores: [Store; 2] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b"].into_iter().zip(&stores).collect();
    let creating: [Gate; 2] = std::array::from_fn(|_| Gate::default());
    thread::scope(|scope| {
        let makes = scope.spawn(|| {
            call(&flights, "a", &stores[0], None, || {
                creating[0].open();
                creating[1].pass();
                while flights.is_creating(HASH, "b") {
                    thread::yield_now();
                }
                Ok(stores[0].make())
            })
        });
        let fails = scope.spawn(|| {
            call(&flights, "b", &stores[1], None, || {
                creating[1].open();
                until_waiting(&flights, "a", 1);
                until_waiting(&flights, "b", 1);
                Err(OUTDATED.to_owned())
            })
        });
        creating.iter().for_each(Gate::pass);
        let gotten = call_many(&flights, &keys, None, |_| unreachable!()).unwrap();
        let made = makes.join().unwrap().unwrap().value;
        let source = Source::Waited;
        let waited = Outcome {
            value: made,
            source,
        };
        assert_eq!(gotten, [Ok(waited), Err(OUTDATED.to_owned())]);
        assert!(fails.join().unwrap().is_err());
    });
    // Its own creator's it does not.
    let gotten = call_many(&flights, &keys[1..], None, |_| Err(OUTDATED.to_owned()));
    assert_eq!(gotten, Err(LockError::Creation(OUTDATED.to_owned())));
}

/// A call of three keys whose second fails there, and what came to those who waited for each meanwhile.
fn with_a_fault(fault: Fault, create: impl Fn(&[usize])) -> (ManyGotten, [Gotten; 3]) {
    let flights = table();
    let stores: [Store; 3] = std::array::from_fn(|_| Store::empty());
    let keys: Vec<_> = ["a", "b", "c"].into_iter().zip(&stores).collect();
    let creating = Gate::default();
    let all_wait = || {
        creating.open();
        for (key, _) in &keys {
            until_waiting(&flights, key, 1);
        }
    };
    let came = thread::scope(|scope| {
        let others = [0, 1, 2].map(|at| {
            let (flights, creating, (key, store)) = (&flights, &creating, keys[at]);
            scope.spawn(move || {
                creating.pass();
                call(flights, key, store, None, || Ok(store.make()))
            })
        });
        let mut many = Many {
            keys: &keys,
            creator: async |numbers: &[usize]| {
                create(numbers);
                all_wait();
                made(&keys, numbers)
            },
            fault: Some((1, fault, &all_wait)),
        };
        let gotten = flights.get_or_create_multi(request(&keys, None), &mut many);
        (gotten, others.map(|other| other.join().unwrap()))
    });
    for (key, _) in keys {
        assert!(!flights.is_creating(HASH, key));
    }
    came
}

fn sources_of_others([a, b, c]: [Gotten; 3], error: &LockError<String>) -> [Source; 2] {
    assert_eq!(b.as_ref(), Err(error));
    [a, c].map(|got| got.unwrap().source)
}

#[test]
fn who_waits_for_other_keys_than_the_one_whose_mutex_or_read_fails_creates_them() {
    for fault in [Fault::Mutex, Fault::Read] {
        let (gotten, others) = with_a_fault(fault, |_| panic!("the call has failed already"));
        let error = LockError::Creation(format!("no {fault:?}"));
        assert_eq!(gotten.as_ref(), Err(&error));
        assert_eq!(sources_of_others(others, &error), [Source::Created; 2]);
    }
}

#[test]
fn who_waits_for_other_keys_than_the_one_whose_store_fails_gets_their_values() {
    let (gotten, others) = with_a_fault(Fault::Store, |numbers| assert_eq!(numbers, [0, 1, 2]));
    let error = LockError::Creation("no Store".to_owned());
    assert_eq!(gotten.as_ref(), Err(&error));
    assert_eq!(sources_of_others(others, &error), [Source::Waited; 2]);
}
