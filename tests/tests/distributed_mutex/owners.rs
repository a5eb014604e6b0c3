//! What becomes of a key whose owner is killed, stopped, or slow.

use std::time::{Duration, Instant};

use crate::processes::StoreProcess;

/// How late the next owner may be, by the promise, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(3);

#[test]
fn an_owner_that_is_killed_is_followed_within_its_lease_and_not_before() {
    let lease = Duration::from_secs(2);
    let store = StoreProcess::start();
    let (mut owner, mut next) = (store.worker(lease), store.worker(lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    next.tell("call 8 2 key");
    store.until_counted("TryAcquire key", 2);
    // Renewed at least once, so that the lease is the store's and not the first.
    store.until_counted("Renew key", 1);
    let killed = Instant::now();
    owner.kill();
    next.expect("created 1 got [2]");
    let followed = killed.elapsed();
    assert!(
        followed >= lease / 3,
        "the lease was not respected: {followed:?}"
    );
    assert!(followed < lease + LATE + LOADED, "{followed:?}");
    if followed > lease + LATE {
        eprintln!("a dead owner was followed after {followed:?}: this machine is loaded");
    }
    assert_eq!(store.stored("key").as_deref(), Some("2"));
}

#[test]
fn an_owner_that_is_stopped_beyond_its_lease_stores_nothing_late_and_its_caller_gets_its_value() {
    let lease = Duration::from_millis(500);
    let store = StoreProcess::start();
    let (mut owner, mut next) = (store.worker(lease), store.worker(lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.stop();
    // It has this before it has noticed anything, when it goes on.
    owner.tell("go key");
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    owner.go_on();
    owner.expect("got 1 Created");
    assert_eq!(store.stored("key").as_deref(), Some("2"));
    // Both see what is stored.
    owner.tell("call 1 3 key");
    owner.expect("created 0 got [2]");
    // The mutex is nobody's: it was not taken from the second owner, nor left behind.
    for worker in [&mut owner, &mut next] {
        worker.tell("time 200");
        worker.expect("done");
    }
    owner.tell("call 8 4 key");
    owner.expect("created 1 got [4]");
}

#[test]
fn a_stopped_owner_that_is_followed_by_one_still_at_work_does_not_free_its_mutex() {
    let lease = Duration::from_millis(500);
    let store = StoreProcess::start();
    let (mut owner, mut next, mut third) = (
        store.worker(lease),
        store.worker(lease),
        store.worker(lease),
    );
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.stop();
    owner.tell("go key");
    next.tell("hold 2 key");
    next.expect("creating key");
    owner.go_on();
    owner.expect("got 1 Created");
    assert_eq!(store.stored("key"), None);
    // The third finds the second at work.
    let asked = store.count("TryAcquire key");
    third.tell("call 8 3 key");
    store.until_counted("TryAcquire key", asked + 1);
    next.tell("go key");
    next.expect("got 2 Created");
    third.expect("created 0 got [2]");
    assert_eq!(store.stored("key").as_deref(), Some("2"));
}

#[test]
fn a_slow_owner_keeps_its_lease_over_many_of_its_lengths() {
    let lease = Duration::from_millis(900);
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(lease), store.worker(lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    let began = Instant::now();
    other.tell("call 8 2 key");
    store.until_counted("Renew key", 9);
    // A renewal each third of the lease.
    assert!(began.elapsed() > 2 * lease, "{:?}", began.elapsed());
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
    assert_eq!(store.count("SetGuarded key"), 1);
    assert_eq!(store.count("Refused key"), 0);
}

#[test]
fn while_another_process_creates_stale_callers_do_not_ask_again() {
    let lease = Duration::from_secs(30);
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(lease), store.worker(lease));
    owner.tell("call 1 1 key");
    owner.expect("created 1 got [1]");
    for worker in [&mut owner, &mut other] {
        worker.tell("time 61");
        worker.expect("done");
    }
    owner.tell("hold 2 key");
    owner.expect("creating key");
    let before = store.count("TryAcquire key");
    for _ in 0..20 {
        other.tell("call 8 3 key");
        other.expect("created 0 got [1]");
    }
    assert_eq!(store.count("TryAcquire key"), before + 1);
    owner.tell("go key");
    owner.expect("got 2 Created");
    // What the other process has stored is seen at once.
    other.tell("call 8 3 key");
    other.expect("created 0 got [2]");
}

#[test]
fn an_owner_that_is_killed_while_stale_values_are_served_is_followed_too() {
    let lease = Duration::from_secs(1);
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(lease), store.worker(lease));
    owner.tell("call 1 1 key");
    owner.expect("created 1 got [1]");
    for worker in [&mut owner, &mut other] {
        worker.tell("time 61");
        worker.expect("done");
    }
    owner.tell("hold 2 key");
    owner.expect("creating key");
    other.tell("call 1 3 key");
    other.expect("created 0 got [1]");
    let killed = Instant::now();
    owner.kill();
    loop {
        other.tell("call 1 3 key");
        match &*other.hear() {
            "created 0 got [1]" => {}
            "created 1 got [3]" => break,
            line => panic!("{line}"),
        }
    }
    let followed = killed.elapsed();
    assert!(followed >= lease / 3, "{followed:?}");
    assert!(followed < lease + LATE + LOADED, "{followed:?}");
}
