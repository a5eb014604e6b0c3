//! `Lock`, by the features of dogpile Core's lock.

use crate::executor::{block_on, until};
use crate::support::Gate;
use crate::task::never;
use dogpile_lock::{Clock, Flights, Lock, LockError, ManualClock, Outcome, Source, WaitGraph};
use std::cell::Cell;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

type Table = Flights<&'static str, &'static str>;
type Gotten = Result<Outcome<&'static str>, LockError<&'static str>>;
type Stored = Mutex<Option<(&'static str, u64)>>;

const SECOND: u64 = 1_000_000_000;
const EXPIRATION_TIME: Duration = Duration::from_secs(10);

fn table() -> Table {
    Flights::new(WaitGraph::new())
}

fn at(seconds: u64) -> (Clock, ManualClock) {
    Clock::manual(seconds * SECOND)
}

fn store(value: Option<(&'static str, u64)>) -> Stored {
    Mutex::new(value)
}

/// Calls with a creator that stores "new".
fn get(lock: &Lock<'_, &'static str, &'static str>, stored: &Stored, clock: &Clock) -> Gotten {
    lock.get_or_create(
        || Ok(*stored.lock().unwrap()),
        || {
            *stored.lock().unwrap() = Some(("new", clock.exact()));
            Ok("new")
        },
    )
}

fn got(gotten: Gotten) -> (&'static str, Source) {
    let outcome = gotten.unwrap();
    (outcome.value, outcome.source)
}

#[test]
fn a_missing_value_is_created_and_then_served() {
    let (flights, (clock, _hand)) = (table(), at(100));
    let lock = Lock::new(&flights, "key").clock(clock.clone());
    let stored = store(None);
    assert_eq!(got(get(&lock, &stored, &clock)), ("new", Source::Created));
    assert_eq!(got(get(&lock, &stored, &clock)), ("new", Source::Fresh));
}

#[test]
fn without_an_expiration_time_a_value_never_expires() {
    let (flights, (clock, hand)) = (table(), at(100));
    let lock = Lock::new(&flights, "key").clock(clock.clone());
    hand.set(u64::MAX);
    let stored = store(Some(("old", 1)));
    assert_eq!(got(get(&lock, &stored, &clock)), ("old", Source::Fresh));
}

#[test]
fn a_value_expires_when_its_age_is_more_than_the_expiration_time() {
    let (flights, (clock, hand)) = (table(), at(110));
    let lock = Lock::new(&flights, "key").expiration_time(EXPIRATION_TIME);
    let lock = lock.clock(clock.clone());
    let stored = store(Some(("old", 100 * SECOND)));
    assert_eq!(got(get(&lock, &stored, &clock)), ("old", Source::Fresh));
    hand.advance(Duration::from_nanos(1));
    assert_eq!(got(get(&lock, &stored, &clock)), ("new", Source::Created));
}

#[test]
fn a_creation_time_of_zero_is_no_value() {
    let (flights, (clock, _hand)) = (table(), at(100));
    let lock = Lock::new(&flights, "key").clock(clock.clone());
    let stored = store(Some(("old", 0)));
    assert_eq!(got(get(&lock, &stored, &clock)), ("new", Source::Created));
}

#[test]
fn who_has_a_stale_value_is_not_kept_waiting() {
    let (flights, (clock, _hand)) = (table(), at(200));
    let lock = Lock::new(&flights, "key").expiration_time(EXPIRATION_TIME);
    let lock = lock.clock(clock.clone());
    let stored = store(Some(("old", 100 * SECOND)));
    let creator = || {
        assert!(lock.is_creating());
        thread::scope(|scope| {
            let other = scope.spawn(|| got(get(&lock, &stored, &clock)));
            assert_eq!(other.join().unwrap(), ("old", Source::Stale));
        });
        Ok("new")
    };
    let gotten = lock.get_or_create(|| Ok(*stored.lock().unwrap()), creator);
    assert_eq!(got(gotten), ("new", Source::Created));
    assert!(!lock.is_creating());
}

#[test]
fn a_value_past_max_stale_is_waited_for() {
    let (flights, (clock, hand)) = (table(), at(100));
    let lock = Lock::new(&flights, "key").expiration_time(EXPIRATION_TIME);
    let lock = lock.max_stale(Duration::from_secs(5)).clock(clock.clone());
    let lock = lock.wait(Duration::ZERO);
    let stored = store(Some(("old", 100 * SECOND)));
    let other =
        || thread::scope(|scope| scope.spawn(|| get(&lock, &stored, &clock)).join().unwrap());
    hand.advance(Duration::from_secs(15));
    let creator = || {
        assert_eq!(got(other()), ("old", Source::Stale));
        hand.advance(Duration::from_nanos(1));
        assert_eq!(other(), Err(LockError::TimedOut(Duration::ZERO)));
        Ok("new")
    };
    let gotten = lock.get_or_create(|| Ok(*stored.lock().unwrap()), creator);
    assert_eq!(got(gotten), ("new", Source::Created));
}

#[test]
fn with_the_lock_in_hand_the_value_is_read_again_before_it_is_created() {
    let (flights, (clock, _hand)) = (table(), at(100));
    let lock = Lock::new(&flights, "key").clock(clock);
    let reads = Cell::new(0);
    let reader = || {
        reads.set(reads.get() + 1);
        // Somebody else stores it between the two.
        Ok((reads.get() == 2).then_some(("theirs", 1)))
    };
    let gotten = lock.get_or_create(reader, || panic!("it is there"));
    assert_eq!(got(gotten), ("theirs", Source::Fresh));
    assert_eq!(reads.get(), 2);
}

#[test]
fn the_creators_error_frees_the_lock() {
    let flights = table();
    let lock = Lock::new(&flights, "key");
    let gotten = lock.get_or_create(|| Ok(None), || Err("down"));
    assert_eq!(gotten, Err(LockError::Creation("down")));
    assert!(!lock.is_creating());
    let gotten = lock.get_or_create(|| Ok(None), || Ok("new"));
    assert_eq!(got(gotten), ("new", Source::Created));
}

#[test]
fn a_readers_error_goes_to_its_caller() {
    let flights = table();
    let lock = Lock::new(&flights, "key");
    let gotten = lock.get_or_create(|| Err("unreachable"), || Ok("new"));
    assert_eq!(gotten, Err(LockError::Creation("unreachable")));
}

#[test]
fn who_waited_gets_a_value_even_if_nothing_was_stored() {
    let flights = table();
    let lock = Lock::new(&flights, "key");
    let (creating, waits) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        let creator = scope.spawn(|| {
            let creator = || {
                creating.open();
                waits.pass();
                Ok("not stored")
            };
            got(lock.get_or_create(|| Ok(None), creator))
        });
        creating.pass();
        let waiter = scope.spawn(|| got(lock.get_or_create(|| Ok(None), || Ok("other"))));
        while lock.waiting() == 0 {
            thread::yield_now();
        }
        waits.open();
        assert_eq!(creator.join().unwrap(), ("not stored", Source::Created));
        assert_eq!(waiter.join().unwrap(), ("not stored", Source::Waited));
    });
}

#[test]
fn a_task_and_a_thread_share_one_lock() {
    let flights = table();
    let lock = Lock::new(&flights, "key");
    thread::scope(|scope| {
        let task = block_on(lock.get_or_create_async(
            async || Ok(None),
            async || {
                let (lock, other) = (lock.clone(), lock.clone());
                scope.spawn(move || {
                    let waited = other.get_or_create(|| Ok(None), || Ok("other"));
                    assert_eq!(got(waited), ("task", Source::Waited));
                });
                until(|| lock.waiting() == 1).await;
                Ok("task")
            },
            never,
        ));
        assert_eq!(got(task), ("task", Source::Created));
    });
}

#[test]
fn a_task_waits_no_longer_than_its_timer() {
    let flights = table();
    let lock = Lock::new(&flights, "key").wait(EXPIRATION_TIME);
    let creator = || {
        let other = block_on(lock.get_or_create_async(
            async || Ok(None),
            async || panic!("another creates it"),
            async |wait| assert_eq!(wait, EXPIRATION_TIME),
        ));
        // It asks from within the creator, which is what is found first.
        assert_eq!(other, Err(LockError::Circle(vec!["key".to_owned()])));
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                block_on(lock.get_or_create_async(
                    async || Ok(None),
                    async || panic!("another creates it"),
                    async |wait| assert_eq!(wait, EXPIRATION_TIME),
                ))
            });
            let late = other.join().unwrap();
            assert_eq!(late, Err(LockError::TimedOut(EXPIRATION_TIME)));
        });
        Ok("new")
    };
    let gotten = lock.get_or_create(|| Ok(None), creator);
    assert_eq!(got(gotten), ("new", Source::Created));
}

#[test]
fn a_stale_value_stands_in_for_an_error_until_its_time_and_the_failure_is_left_alone() {
    let (flights, (clock, hand)) = (table(), at(111));
    let lock = Lock::new(&flights, "key")
        .expiration_time(EXPIRATION_TIME)
        .max_stale(Duration::ZERO)
        .stale_if_error(Duration::from_mins(1), Duration::from_secs(5))
        .clock(clock);
    let calls = Cell::new(0);
    let call = || {
        let reader = || Ok(Some(("old", 100 * SECOND)));
        lock.get_or_create(reader, || {
            calls.set(calls.get() + 1);
            Err("down")
        })
    };
    assert_eq!(got(call()), ("old", Source::Stale));
    hand.advance(Duration::from_secs(4));
    assert_eq!(got(call()), ("old", Source::Stale));
    assert_eq!(calls.get(), 1);
    hand.advance(Duration::from_secs(1));
    assert_eq!(got(call()), ("old", Source::Stale));
    assert_eq!(calls.get(), 2);
    // Its time is counted from its expiry, at 110.
    hand.set(171 * SECOND);
    assert_eq!(call(), Err(LockError::Creation("down")));
    assert_eq!(call(), Err(LockError::Creation("down")));
    assert_eq!(calls.get(), 4);
}
