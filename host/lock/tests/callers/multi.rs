//! Several keys in one call.

use crate::executor::{Executor, block_on, until};
use crate::support::{Gate, Gotten, HASH, Store, Table, call, table, until_waiting};
use crate::task::{call_task, never};
use dogpile_lock::{
    Acquired, Clock, LockError, MultiOperation, MultiRequest, OrLeftOut, Outcome, Reading, Source,
    ToStore,
};
use std::cell::{Cell, RefCell};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

type ManyGotten = Result<Vec<OrLeftOut<Outcome<u64>, String>>, LockError<String>>;
type Values = Result<Vec<OrLeftOut<u64, String>>, String>;

/// Where a key fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Mutex,
    Read,
    Store,
}

/// Keys with their stores; the creator is given the numbers of the keys.
struct Many<'a, C> {
    keys: &'a [(&'a str, &'a Store)],
    creator: C,
    /// Of the key with that number, and what comes before it.
    fault: Option<(usize, Fault, &'a dyn Fn())>,
}

impl<C> Many<'_, C> {
    fn meets(&self, number: usize, fault: Fault) -> Result<(), String> {
        match self.fault {
            Some((at, met, before)) if (at, met) == (number, fault) => {
                before();
                Err(format!("no {fault:?}"))
            }
            _ => Ok(()),
        }
    }
}

const LEFT_OUT: &str = "left out";

/// An error that a call of several keys disregards when it is another's.
const OUTDATED: &str = "outdated";

fn left_out<T>() -> OrLeftOut<T, String> {
    Err(LEFT_OUT.to_owned())
}

impl<C: AsyncFnMut(&[usize]) -> Values> MultiOperation for Many<'_, C> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn acquire(&mut self, number: usize) -> Result<Acquired<()>, String> {
        self.meets(number, Fault::Mutex)?;
        Ok(Acquired::Unneeded)
    }

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<u64>, String>> {
        let read = |at: &usize| {
            self.meets(*at, Fault::Read)?;
            Ok(self.keys[*at].1.read())
        };
        numbers.iter().map(read).collect()
    }

    async fn create(&mut self, numbers: &[usize]) -> Values {
        (self.creator)(numbers).await
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, u64, String, ()>>,
    ) -> Vec<Result<(), String>> {
        let store = |value: ToStore<'_, u64, String, ()>| {
            self.meets(value.number, Fault::Store)?;
            let store = self.keys[value.number].1;
            value.storing.run(|| store.write(*value.value));
            Ok(())
        };
        values.into_iter().map(store).collect()
    }

    fn disregards(&self, error: &String) -> bool {
        error == OUTDATED
    }
}

fn request<'a>(keys: &[(&'a str, &Store)], wait: Option<Duration>) -> MultiRequest<'a, u64> {
    MultiRequest {
        keys: keys
            .iter()
            .map(|(key, store)| (HASH, *key, store.read()))
            .collect(),
        wait,
        retry: None,
    }
}

/// A call that blocks, with a creator that does.
fn call_many(
    flights: &Table,
    keys: &[(&str, &Store)],
    wait: Option<Duration>,
    mut creator: impl FnMut(&[usize]) -> Values,
) -> ManyGotten {
    let mut many = Many {
        keys,
        creator: async |numbers: &[usize]| creator(numbers),
        fault: None,
    };
    flights.get_or_create_multi(request(keys, wait), &mut many)
}

#[expect(clippy::unnecessary_wraps, reason = "as creators give it")]
fn made(keys: &[(&str, &Store)], numbers: &[usize]) -> Values {
    Ok(numbers.iter().map(|at| Ok(keys[*at].1.number())).collect())
}

fn sources(gotten: &ManyGotten) -> Vec<Option<Source>> {
    let gotten = gotten.as_ref().unwrap().iter();
    let source = |got: &OrLeftOut<Outcome<u64>, String>| match got {
        Ok(got) => Some(got.source),
        Err(why) => {
            assert_eq!(why, LEFT_OUT);
            None
        }
    };
    gotten.map(source).collect()
}

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
                until_waiting(&flights, "a", 1);
                while flights.is_creating(HASH, "b") {
                    thread::yield_now();
                }
                Ok(stores[0].make())
            })
        });
        let fails = scope.spawn(|| {
            call(&flights, "b", &stores[1], None, || {
                creating[1].open();
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
