//! What becomes of a key whose owner is killed, stopped, or slow.

use std::time::{Duration, Instant};

use dogpile_tests::process::Process;
use dogpile_tests::worker::set_time;

use crate::processes::StoreProcess;

/// How late the next owner may be, by the promise, and in one of ten cases on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(1);

/// Ten owners come to an end in the middle of their creations. By the store's clock, each is followed in time.
fn followed(polls: bool, end: impl Fn(&mut Process)) {
    let lease = Duration::from_millis(400);
    let store = StoreProcess::start();
    let worker = || {
        if polls {
            store.polling_worker(lease)
        } else {
            store.worker(lease)
        }
    };
    let mut next = worker();
    for round in 1..=10 {
        let mut owner = worker();
        set_time([&mut owner, &mut next], round * 121);
        owner.tell("hold 0 key");
        owner.expect("creating key");
        let (asked, renewed) = (store.count("TryAcquire key"), store.count("Renew key"));
        next.tell(&format!("call 8 {round} key"));
        store.until_counted("TryAcquire key", asked + 1);
        // At least once, so that the lease is not the first.
        store.until_counted("Renew key", renewed + 1);
        let ended = Instant::now();
        end(&mut owner);
        next.expect(&format!("created 1 got [{round}]"));
        assert!(ended.elapsed() >= lease / 3, "its lease was not respected");
        assert_eq!(store.stored("key"), Some(round.to_string()));
    }
    let late = store.late("key");
    eprintln!("after the leases had passed, others had them after {late:?}");
    assert_eq!(late.len(), 10);
    assert!(late.iter().all(|late| *late < LOADED), "{late:?}");
    let in_time = late.iter().filter(|late| **late <= LATE).count();
    assert!(in_time >= 9, "{late:?}");
}

#[test]
fn owners_that_are_killed_are_followed_when_their_leases_pass() {
    followed(false, Process::kill);
}

#[test]
fn owners_that_are_stopped_are_followed_when_their_leases_pass() {
    followed(false, |owner| owner.stop());
}

#[test]
fn owners_that_are_killed_are_followed_in_time_where_nothing_tells_of_it() {
    followed(true, Process::kill);
}

#[test]
fn owners_that_are_stopped_are_followed_in_time_where_nothing_tells_of_it() {
    followed(true, |owner| owner.stop());
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
    set_time([&mut owner, &mut next], 200);
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
    set_time([&mut owner, &mut other], 61);
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
    set_time([&mut owner, &mut other], 61);
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
    assert!(killed.elapsed() >= lease / 3, "{:?}", killed.elapsed());
    let late = store.late("key");
    assert!(late.len() == 1 && late[0] < LOADED, "{late:?}");
}
