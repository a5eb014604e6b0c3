//! Mutexes whose calls hang.

use crate::call::{Host, Key, LEASE};
use crate::mutex::{Gauge, LONG, TestMutex};
use dogpile_lock::{Held, Remote};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Renewed every 20 ms.
const SHORT: Duration = Duration::from_millis(60);
/// Threads that call mutexes.
const MOST_THREADS: usize = 8;

fn acquire(remote: &Remote<TestMutex>, mutex: &Arc<TestMutex>, lease: Duration) -> Held<TestMutex> {
    let held = remote.try_acquire(mutex, lease);
    held.unwrap().expect("it is free")
}

/// Comes back when `work` has, which is to happen at once.
fn soon(work: impl FnOnce() + Send + 'static) {
    let (ends, ended) = mpsc::channel();
    let work = thread::spawn(move || {
        work();
        ends.send(()).unwrap();
    });
    let in_time = ended.recv_timeout(LONG / 2);
    assert!(in_time.is_ok(), "it waits for what hangs");
    work.join().unwrap();
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < LONG, "it never came about");
        thread::yield_now();
    }
}

#[test]
fn a_renewal_that_hangs_holds_up_no_other_lease() {
    let remote = Remote::new();
    let (slow, quick) = (
        TestMutex::hanging(&Arc::default()),
        Arc::new(TestMutex::new()),
    );
    let _slow = acquire(&remote, &slow, SHORT);
    slow.until_hanging();
    let held = acquire(&remote, &quick, SHORT);
    quick.until(|seen| seen.renewed >= 6);
    slow.end_hanging();
    // It goes on too.
    slow.until(|seen| seen.renewed >= 3);
    drop(held);
}

#[test]
fn a_release_that_hangs_holds_up_no_renewal() {
    let remote = Remote::new();
    let (slow, other, quick) = (TestMutex::new(), TestMutex::new(), TestMutex::new());
    let (slow, other, quick) = (Arc::new(slow), Arc::new(other), Arc::new(quick));
    slow.seen().hangs_in_release = true;
    let held = acquire(&remote, &quick, SHORT);
    drop(acquire(&remote, &slow, LEASE));
    slow.until_hanging();
    // It is not renewed while it waits to be given back.
    drop(acquire(&remote, &other, SHORT));
    let before = quick.seen().renewed;
    quick.until(|seen| seen.renewed >= before + 6);
    let seen = other.seen();
    assert_eq!((seen.renewed, seen.releases.len()), (0, 0));
    drop(seen);
    slow.end_hanging();
    other.until(|seen| seen.releases.len() == 1);
    drop(held);
}

#[test]
fn as_many_renewals_hang_at_once_as_there_may_be_threads() {
    let remote = Remote::new();
    let gauge = Arc::<Gauge>::default();
    let mutexes: Vec<_> = (0..20).map(|_| TestMutex::hanging(&gauge)).collect();
    let held: Vec<_> = mutexes
        .iter()
        .map(|mutex| acquire(&remote, mutex, SHORT))
        .collect();
    until(|| gauge.most.load(Ordering::SeqCst) == MOST_THREADS);
    // Each in turn, as those before it come back.
    let mut left: Vec<_> = mutexes.iter().collect();
    while !left.is_empty() {
        left.retain(|mutex| {
            mutex.end_hanging();
            mutex.seen().renewed == 0
        });
        thread::yield_now();
    }
    assert_eq!(gauge.most.load(Ordering::SeqCst), MOST_THREADS);
    drop(held);
}

#[test]
fn a_lease_whose_renewal_hangs_counts_as_lost_when_it_passes_and_not_before() {
    let remote = Remote::new();
    let mutex = TestMutex::hanging(&Arc::default());
    let began = Instant::now();
    let held = acquire(&remote, &mutex, SHORT);
    mutex.until_hanging();
    until(|| held.is_lost());
    assert!(began.elapsed() >= SHORT);
    // Whether it is still good for a store is for the store to say.
    assert!(held.lend().hold().is_some());
    // The mutex has not given it away: a renewal that comes late counts.
    mutex.end_hanging();
    until(|| !held.is_lost());
}

#[test]
fn a_lease_that_is_being_renewed_is_dropped_and_released_at_once_and_given_back_after_that() {
    for release in [false, true] {
        let remote = Remote::new();
        let mutex = TestMutex::hanging(&Arc::default());
        let held = acquire(&remote, &mutex, SHORT);
        mutex.until_hanging();
        soon(move || {
            if release {
                held.release().unwrap();
            } else {
                drop(held);
            }
        });
        assert!(mutex.seen().releases.is_empty());
        mutex.end_hanging();
        mutex.until(|seen| seen.releases.len() == 1);
        assert!(mutex.is_free());
    }
}

#[test]
fn a_store_does_not_wait_for_a_renewal() {
    let remote = Remote::new();
    let mutex = TestMutex::hanging(&Arc::default());
    let held = acquire(&remote, &mutex, SHORT);
    mutex.until_hanging();
    let lent = held.lend();
    soon(move || assert!(lent.hold().is_some()));
    mutex.end_hanging();
}

#[test]
fn dropping_an_asynchronous_creator_does_not_block_while_its_lease_is_renewed() {
    let mutex = TestMutex::hanging(&Arc::default());
    let renewed = Arc::clone(&mutex);
    soon(move || {
        let host = Host::new(SHORT);
        let key = Key::of("key", renewed);
        let call = host.call_for_ever(&key);
        key.mutex.until_hanging();
        drop(call);
        assert!(!key.mutex.is_free());
    });
    mutex.end_hanging();
    mutex.until(|seen| seen.releases.len() == 1);
}
