//! Leases: renewed, lost, and given back.

use crate::call::{Host, Key, LEASE};
use crate::mutex::{LONG, Renewal, TestMutex};
use dogpile_lock::{Held, Remote, Source};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Renewed every 20 ms.
const SHORT: Duration = Duration::from_millis(60);

fn acquire(remote: &Remote<TestMutex>, mutex: &Arc<TestMutex>, lease: Duration) -> Held<TestMutex> {
    let held = remote.try_acquire(mutex, lease);
    held.unwrap().expect("it is free")
}

#[test]
fn a_lease_is_renewed_every_third_of_it_for_as_long_as_a_creation_takes() {
    let host = Host::new(SHORT);
    let key = Key::new("key", TestMutex::new());
    let began = Instant::now();
    let outcome = host.call(&key, || key.mutex.until(|seen| seen.renewed >= 6));
    assert!(began.elapsed() >= SHORT * 2);
    assert_eq!(outcome.unwrap().source, Source::Created);
    assert_eq!(*key.value.lock().unwrap(), 2);
    // Given back by another thread if it was being renewed.
    key.mutex.until(|seen| !seen.releases.is_empty());
    assert!(key.mutex.is_free());
    let seen = key.mutex.seen();
    assert_eq!((seen.asked, seen.releases.len()), (1, 1));
    assert_eq!(seen.lengths, [SHORT]);
}

#[test]
fn one_thread_renews_many_leases() {
    let remote = Remote::new();
    let mutexes: Vec<_> = (0..100).map(|_| Arc::new(TestMutex::new())).collect();
    let held: Vec<_> = mutexes
        .iter()
        .map(|mutex| acquire(&remote, mutex, SHORT))
        .collect();
    for mutex in &mutexes {
        mutex.until(|seen| seen.renewed >= 2);
    }
    for held in held {
        assert!(held.lend().hold().is_some(), "a mutex said that it is lost");
        held.release().unwrap();
    }
    // Given back by another thread if it was being renewed.
    for mutex in &mutexes {
        mutex.until(|seen| !seen.releases.is_empty());
    }
    assert!(mutexes.iter().all(|mutex| mutex.is_free()));
}

#[test]
fn what_is_created_under_a_lost_lease_goes_to_its_callers_and_is_not_stored() {
    let host = Host::new(SHORT);
    let key = Key::new("key", TestMutex::new());
    let outcome = host.call(&key, || {
        key.mutex.steal();
        let renewed = key.mutex.seen().renewed;
        key.mutex.until(|seen| seen.renewed > renewed);
    });
    assert_eq!(outcome.unwrap().value, 2);
    assert_eq!(*key.value.lock().unwrap(), 0);
    assert!(!key.mutex.is_free(), "it is somebody else's");
    assert!(key.mutex.seen().releases.is_empty());
}

/// Comes back when the lease is known to be lost.
fn until_lost(held: &Held<TestMutex>) {
    let began = Instant::now();
    while !held.is_lost() {
        assert!(began.elapsed() < LONG);
        thread::yield_now();
    }
}

/// Comes back when the mutex has said so.
fn until_told(held: &Held<TestMutex>) {
    let began = Instant::now();
    while held.lend().hold().is_some() {
        assert!(began.elapsed() < LONG);
        thread::yield_now();
    }
}

#[test]
fn a_lost_lease_cannot_be_used_and_is_not_given_back() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    let held = acquire(&remote, &mutex, SHORT);
    let lent = held.lend();
    assert_eq!(lent.with(|lease| *lease), Some(1));
    mutex.steal();
    until_lost(&held);
    until_told(&held);
    held.release().unwrap();
    assert!(mutex.seen().releases.is_empty());

    mutex.free();
    let held = acquire(&remote, &mutex, SHORT);
    mutex.steal();
    until_told(&held);
    drop(held);
    // The thread would have given it back before the next.
    let other = Arc::new(TestMutex::new());
    drop(acquire(&remote, &other, LEASE));
    other.until(|seen| !seen.releases.is_empty());
    assert!(mutex.seen().releases.is_empty());
}

#[test]
fn a_lease_given_back_cannot_be_used() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    let held = acquire(&remote, &mutex, LEASE);
    let lent = held.lend();
    held.release().unwrap();
    assert_eq!(lent.with(|lease| *lease), None);
}

#[test]
fn a_renewal_that_fails_or_panics_is_tried_again_before_the_lease_passes() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    mutex.seen().renewals_to_come = [Renewal::Fails, Renewal::Panics].into();
    // Renewed after 1 s, tried again after 300 ms more. A panic that prints where it came from takes its time too.
    let held = acquire(&remote, &mutex, SHORT * 50);
    mutex.until(|seen| seen.renewed >= 2);
    assert_eq!(mutex.seen().failed_renewals, 2);
    assert!(held.lend().hold().is_some());
    held.release().unwrap();
    mutex.until(|seen| seen.releases.len() == 1);
}

#[test]
fn a_lease_that_cannot_be_renewed_is_lost_when_it_passes_and_not_before() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    mutex.seen().renewals_to_come = [Renewal::Fails; 1_000].into();
    let began = Instant::now();
    let lease = SHORT * 10;
    let held = acquire(&remote, &mutex, lease);
    until_lost(&held);
    assert!(began.elapsed() >= lease);
    assert!(mutex.seen().failed_renewals >= 2);
}

#[test]
fn a_lease_in_use_is_renewed_meanwhile() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    let held = acquire(&remote, &mutex, SHORT);
    let began = Instant::now();
    let used = held.lend().with(|_| mutex.until(|seen| seen.renewed >= 6));
    assert!(used.is_some() && began.elapsed() >= SHORT);
}

#[test]
fn a_lease_in_use_is_given_back_after_that() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    for release in [true, false] {
        let held = acquire(&remote, &mutex, SHORT);
        let lent = held.lend();
        let used = lent.hold();
        if release {
            held.release().unwrap();
        } else {
            drop(held);
        }
        let renewed = mutex.seen().renewed;
        mutex.until(|seen| seen.renewed >= renewed + 3);
        let released = mutex.seen().releases.len();
        drop(used);
        mutex.until(|seen| seen.releases.len() == released + 1);
        assert!(lent.hold().is_none());
    }
}

#[test]
fn a_lease_may_be_given_back_by_another_thread() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    let held = acquire(&remote, &mutex, LEASE);
    let other = thread::spawn(move || held.release());
    let id = other.thread().id();
    other.join().unwrap().unwrap();
    assert_eq!(mutex.seen().releases, [id]);
}

#[test]
fn a_lease_dropped_is_given_back_by_a_thread_that_may_block() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    drop(acquire(&remote, &mutex, LEASE));
    mutex.until(|seen| !seen.releases.is_empty());
    assert_ne!(mutex.seen().releases[0], thread::current().id());
    assert!(mutex.is_free());
}

#[test]
fn a_lease_of_a_creator_that_panics_alone_is_given_back() {
    let host = Host::new(LEASE);
    let key = Key::new("key", TestMutex::new());
    let called = || host.call(&key, || panic!("on purpose"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(called)).is_err());
    key.mutex.until(|seen| seen.releases.len() == 1);
    assert!(key.mutex.is_free());
}

#[test]
fn a_lease_outlives_the_host_that_took_it() {
    let remote = Remote::new();
    let mutex = Arc::new(TestMutex::new());
    let held = acquire(&remote, &mutex, SHORT);
    drop(remote);
    mutex.until(|seen| seen.renewed >= 2);
    assert!(held.lend().hold().is_some());
    drop(held);
    mutex.until(|seen| seen.releases.len() == 1);
}

#[test]
fn the_thread_ends_when_everything_is_given_back_and_dropped() {
    let remote = Remote::new();
    let (ends, ended) = mpsc::channel();
    let mutex = Arc::new(TestMutex::telling_ends(ends));
    // Dropped, so that the thread gives it back and is known from then on.
    drop(acquire(&remote, &mutex, LEASE));
    mutex.until(|seen| seen.releases.len() == 1);
    let silent = Arc::new(TestMutex::new());
    let held = acquire(&remote, &silent, LEASE);
    drop(remote);
    let early = ended.recv_timeout(SHORT);
    assert!(early.is_err(), "a lease is still to be renewed");
    // Its renewal would come in minutes.
    held.release().unwrap();
    ended.recv_timeout(LONG).expect("the thread has ended");
}
