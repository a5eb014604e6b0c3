//! Creators that fail or panic, and callers whose patience ends.

use crate::support::{Call, Gate, HASH, Store, call, table, until_waiting};
use dogpile_lock::{Blocking, Clock, LockError, Retry, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WAITERS: usize = 8;

/// Callers that wait one behind the other, each of whom panics: Miri takes long for a panic.
const LINE: usize = if cfg!(miri) { 2 } else { 8 };

#[test]
fn all_waiters_share_the_creators_error_and_the_next_call_creates_at_once() {
    let flights = table();
    let store = Store::empty();
    let failed = AtomicUsize::new(0);
    let creator = || {
        until_waiting(&flights, "key", WAITERS);
        failed.fetch_add(1, Ordering::SeqCst);
        Err("no row".to_owned())
    };
    thread::scope(|scope| {
        for _ in 0..=WAITERS {
            scope.spawn(|| {
                let error = call(&flights, "key", &store, None, creator).unwrap_err();
                assert_eq!(error, LockError::Creation("no row".to_owned()));
            });
        }
    });
    assert_eq!(failed.into_inner(), 1);
    assert_eq!(store.reads(), WAITERS + 2);
    let outcome = call(&flights, "key", &store, None, || Ok(store.make())).unwrap();
    assert_eq!(outcome.source, Source::Created);
}

#[test]
fn a_stale_caller_whose_creation_fails_gets_the_error() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let store = Store::new(clock, 10);
    store.make();
    hand.advance(Duration::from_nanos(11));
    let error = call(&flights, "key", &store, None, || Err("down".to_owned())).unwrap_err();
    assert_eq!(error, LockError::Creation("down".to_owned()));
}

#[test]
fn a_panic_goes_to_its_own_caller_and_the_waiters_take_over_one_by_one() {
    let flights = table();
    let store = Store::empty();
    let panics = AtomicUsize::new(0);
    let busy = AtomicBool::new(false);
    let caught = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..=WAITERS {
            scope.spawn(|| {
                let creator = || {
                    assert!(!busy.swap(true, Ordering::SeqCst), "two creators at once");
                    if panics.load(Ordering::SeqCst) == 0 {
                        until_waiting(&flights, "key", WAITERS);
                    }
                    let panics = panics.fetch_add(1, Ordering::SeqCst);
                    busy.store(false, Ordering::SeqCst);
                    assert!(panics >= 3, "on purpose");
                    Ok(store.make())
                };
                let called = || call(&flights, "key", &store, None, creator);
                match catch_unwind(AssertUnwindSafe(called)) {
                    Ok(outcome) => assert_eq!(outcome.unwrap().value, 1),
                    Err(_) => {
                        caught.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(caught.into_inner(), 3);
    assert_eq!(store.creations(), 1);
    assert!(!flights.is_creating(HASH, "key"));
}

#[test]
fn who_has_waited_longest_takes_over_first() {
    let flights = table();
    let store = Store::empty();
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..=LINE {
            let (flights, store, order) = (&flights, &store, &order);
            scope.spawn(move || {
                let creator = || {
                    if number == 0 {
                        until_waiting(flights, "key", LINE);
                    }
                    order.lock().unwrap().push(number);
                    assert_eq!(number, LINE, "on purpose");
                    Ok(store.make())
                };
                let called = || call(flights, "key", store, None, creator);
                let _fallen = catch_unwind(AssertUnwindSafe(called));
            });
            if number == 0 {
                while !flights.is_creating(HASH, "key") {
                    thread::yield_now();
                }
            } else {
                until_waiting(flights, "key", number);
            }
        }
    });
    let expected: Vec<_> = (0..=LINE).collect();
    assert_eq!(order.into_inner().unwrap(), expected);
}

#[test]
fn who_took_over_after_a_panic_is_told_that_it_asks_for_its_own_key() {
    let flights = table();
    let store = Store::empty();
    thread::scope(|scope| {
        let falls = scope.spawn(|| {
            call(&flights, "key", &store, None, || {
                until_waiting(&flights, "key", 1);
                panic!("on purpose")
            })
        });
        while !flights.is_creating(HASH, "key") {
            thread::yield_now();
        }
        let outcome = call(&flights, "key", &store, None, || {
            let wait = Some(Duration::from_secs(5));
            let own = call(&flights, "key", &store, wait, || Ok(0));
            assert!(matches!(own, Err(LockError::Circle(_))), "{own:?}");
            Ok(store.make())
        });
        assert_eq!(outcome.unwrap().source, Source::Created);
        falls.join().unwrap_err();
    });
}

#[test]
fn a_panic_in_the_background_leaves_the_key_alone_as_an_error_does() {
    let (clock, hand) = Clock::manual(1_000);
    let flights = table();
    let store = Store::empty();
    let after = Duration::from_secs(5);
    let mut falls = Call {
        store: &store,
        creator: || panic!("on purpose"),
    };
    for retry in [
        None,
        Some(Retry {
            after,
            clock: &clock,
        }),
    ] {
        let turn = flights.try_turn(HASH, "key").expect("nobody creates it");
        let run = || Blocking::new().on(turn.run(&mut falls, retry));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        let next = flights.try_turn(HASH, "key").expect("it is free");
        assert_eq!(next.has_failed_lately(&clock), retry.is_some());
    }
    hand.advance(after);
    let next = flights.try_turn(HASH, "key").expect("it is free");
    assert!(!next.has_failed_lately(&clock));
}

#[test]
fn a_panic_with_nobody_waiting_leaves_nothing_behind() {
    let flights = table();
    let store = Store::empty();
    let creator = || -> Result<u64, String> { panic!("on purpose") };
    let called = || call(&flights, "key", &store, None, creator);
    assert!(catch_unwind(AssertUnwindSafe(called)).is_err());
    assert!(!flights.is_creating(HASH, "key"));
    let outcome = call(&flights, "key", &store, None, || Ok(store.make())).unwrap();
    assert_eq!(outcome.source, Source::Created);
}

#[test]
fn a_caller_whose_wait_passes_times_out_alone_and_the_creation_goes_on() {
    let flights = table();
    let store = Store::empty();
    let (creating, finish) = (Gate::default(), Gate::default());
    let wait = Duration::from_millis(20);
    let never = || -> Result<u64, String> { panic!("nobody creates without the turn") };
    thread::scope(|scope| {
        let creator = scope.spawn(|| {
            call(&flights, "key", &store, None, || {
                creating.open();
                finish.pass();
                Ok(store.make())
            })
        });
        creating.pass();
        let patient = scope.spawn(|| call(&flights, "key", &store, None, never));
        until_waiting(&flights, "key", 1);
        let began = Instant::now();
        let error = call(&flights, "key", &store, Some(wait), never).unwrap_err();
        assert_eq!(error, LockError::TimedOut(wait));
        assert!(began.elapsed() >= wait);
        assert_eq!(flights.waiting(HASH, "key"), 1);
        finish.open();
        assert_eq!(creator.join().unwrap().unwrap().source, Source::Created);
        assert_eq!(patient.join().unwrap().unwrap().source, Source::Waited);
    });
    assert_eq!(store.creations(), 1);
}

#[test]
fn a_wait_of_no_time_fails_at_once_but_creates_if_it_can() {
    let flights = table();
    let store = Store::empty();
    let wait = Some(Duration::ZERO);
    let creator = || {
        thread::scope(|scope| {
            let other = scope.spawn(|| call(&flights, "key", &store, wait, || Ok(0)));
            let error = other.join().unwrap().unwrap_err();
            assert_eq!(error, LockError::TimedOut(Duration::ZERO));
        });
        Ok(store.make())
    };
    let outcome = call(&flights, "key", &store, wait, creator).unwrap();
    assert_eq!(outcome.source, Source::Created);
}

#[test]
fn a_panic_while_the_result_is_cloned_for_the_waiters_hands_over() {
    use dogpile_lock::{Flights, Operation, Reading, Request, Storing, WaitGraph};

    #[derive(Debug, PartialEq)]
    struct Fragile(bool);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(!self.0, "on purpose");
            Self(false)
        }
    }
    struct Make<F>(F);
    impl<F: FnMut() -> Fragile> Operation for Make<F> {
        type Value = Fragile;
        type Error = String;
        type Lease = ();
        async fn read_again(&mut self) -> Result<Reading<Fragile>, String> {
            Ok(Reading::Missing)
        }
        async fn create(&mut self) -> Result<Fragile, String> {
            Ok((self.0)())
        }
        async fn store(
            &mut self,
            _: &Fragile,
            _: Storing<Fragile, String>,
            _: Option<&()>,
        ) -> Result<(), String> {
            Ok(())
        }
    }

    let flights = Flights::<Fragile, String>::new(WaitGraph::new());
    let creating = Gate::default();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let mut operation = Make(|| {
                creating.open();
                while flights.waiting(HASH, "key") == 0 {
                    thread::yield_now();
                }
                Fragile(true)
            });
            let _panics =
                flights.get_or_create(Request::new(HASH, "key", Reading::Missing), &mut operation);
        });
        creating.pass();
        let mut operation = Make(|| Fragile(false));
        let outcome =
            flights.get_or_create(Request::new(HASH, "key", Reading::Missing), &mut operation);
        assert_eq!(outcome.unwrap().source, Source::Created);
        assert!(first.join().is_err());
    });
}
