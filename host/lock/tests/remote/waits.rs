//! Waits for what other processes hold.

use crate::call::{HASH, Host, Key, LEASE};
use crate::mutex::{Gauge, LONG, TestMutex, Waits};
use dogpile_lock::{LockError, Remote, Source};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

const CALLERS: usize = 8;
const KEYS: usize = if cfg!(miri) { 70 } else { 200 };
const MOST_THREADS: usize = 64;

fn elsewhere(waits: Waits) -> Key {
    Key::new("key", TestMutex::held_elsewhere(waits, &Arc::default()))
}

/// Callers with no value wait until another process, having done `theirs`, is gone; gives how they got theirs.
fn wait_for(key: &Key, theirs: impl FnOnce()) -> Vec<Source> {
    let host = Host::new(LEASE);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| host.call(key, || {}).unwrap()))
            .collect();
        host.until_waiting(key, CALLERS);
        key.mutex.until(|seen| seen.waited > 0);
        theirs();
        let gotten = callers.into_iter().map(|caller| caller.join().unwrap());
        let sources = gotten.map(|got| {
            assert_eq!(got.value, 2);
            got.source
        });
        let sources = sources.collect();
        host.until_free(key);
        sources
    })
}

fn count(sources: &[Source], source: Source) -> usize {
    sources.iter().filter(|other| **other == source).count()
}

#[test]
fn the_first_who_waits_creates_when_the_mutex_is_free() {
    let key = elsewhere(Waits::UntilFree);
    let sources = wait_for(&key, || key.mutex.free());
    assert_eq!(count(&sources, Source::Created), 1);
    assert_eq!(count(&sources, Source::Waited), CALLERS - 1);
    assert_eq!(key.creations(), 1);
    let seen = key.mutex.seen();
    assert_eq!(seen.lengths, [LEASE]);
    assert_eq!(seen.releases.len(), 1);
}

#[test]
fn what_another_process_stored_is_read_by_one_and_shared() {
    let key = elsewhere(Waits::UntilFree);
    let sources = wait_for(&key, || {
        *key.value.lock().unwrap() = 2;
        key.mutex.free();
    });
    assert_eq!(key.creations(), 0);
    assert_eq!(count(&sources, Source::Fresh), 1);
    assert_eq!(count(&sources, Source::Waited), CALLERS - 1);
}

#[test]
fn a_mutex_that_never_tells_is_looked_at() {
    let key = elsewhere(Waits::ToTheEnd);
    let began = Instant::now();
    wait_for(&key, || key.mutex.free());
    assert_eq!(key.creations(), 1);
    // One wait at most is slept through after the end of the other process.
    assert!(began.elapsed() < LONG);
    assert!(key.mutex.seen().waited >= 1);
}

#[test]
fn a_mutex_that_comes_back_at_once_is_not_asked_without_pause() {
    let key = elsewhere(Waits::NotAtAll);
    let mut asked = 0;
    let mut took = None;
    wait_for(&key, || {
        let before = key.mutex.seen().waited;
        let began = Instant::now();
        key.mutex.until(|seen| seen.waited >= before + 10);
        took = Some(began.elapsed());
        asked = key.mutex.seen().asked;
        key.mutex.free();
    });
    assert!(took.unwrap().as_millis() >= 9 * 5);
    assert!(asked >= 10);
    assert_eq!(key.creations(), 1);
}

#[test]
fn a_mutex_that_cannot_be_waited_for_is_asked_by_the_callers_themselves() {
    for waits in [Waits::Fails, Waits::Panics] {
        let key = elsewhere(waits);
        let mut took = None;
        let sources = wait_for(&key, || {
            let asked = key.mutex.seen().asked;
            let began = Instant::now();
            key.mutex.until(|seen| seen.asked >= asked + 10);
            took = Some(began.elapsed());
            key.mutex.free();
        });
        // Not without a pause either.
        assert!(took.unwrap().as_millis() >= 9 * 5);
        assert_eq!(count(&sources, Source::Created), 1);
        assert_eq!(key.creations(), 1);
    }
}

#[test]
fn a_mutex_that_is_out_of_reach_is_an_error_for_all_who_wait() {
    let key = elsewhere(Waits::UntilFree);
    let host = Host::new(LEASE);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| host.call(&key, || {})))
            .collect();
        host.until_waiting(&key, CALLERS);
        key.mutex.seen().unreachable = true;
        for caller in callers {
            let error = caller.join().unwrap().unwrap_err();
            assert_eq!(error, LockError::Creation("unreachable".to_owned()));
        }
    });
    assert_eq!(key.creations(), 0);
    host.until_free(&key);
}

#[test]
fn stale_callers_are_served_and_ask_once_while_another_process_creates() {
    let key = elsewhere(Waits::UntilFree);
    *key.value.lock().unwrap() = 1;
    let host = Host::new(LEASE);
    for _ in 0..100 {
        let got = host.call(&key, || {}).unwrap();
        assert_eq!((got.value, got.source), (1, Source::Stale));
    }
    // Nobody waits, so it is not taken for anybody.
    key.mutex.until(|seen| seen.looked >= 2);
    assert_eq!(key.mutex.seen().asked, 1);
    assert!(host.flights.is_creating(HASH, "key"));
    key.mutex.free();
    host.until_free(&key);
    assert_eq!(key.mutex.seen().asked, 1);
    let got = host.call(&key, || {}).unwrap();
    assert_eq!((got.value, got.source), (2, Source::Created));
}

#[test]
fn a_mutex_out_of_reach_that_nobody_waits_for_is_left() {
    let key = elsewhere(Waits::UntilFree);
    *key.value.lock().unwrap() = 1;
    let host = Host::new(LEASE);
    assert_eq!(host.call(&key, || {}).unwrap().source, Source::Stale);
    key.mutex.seen().unreachable = true;
    host.until_free(&key);
}

/// Many keys that another process holds, each with one caller; gives the most threads that waited at once.
fn many(waits: Waits, break_some: bool) -> usize {
    let gauge = Arc::<Gauge>::default();
    let host = Host::new(LEASE);
    let keys: Vec<Key> = (0..KEYS)
        .map(|number| {
            let mutex = TestMutex::held_elsewhere(waits, &gauge);
            Key::new(format!("key {number}"), mutex)
        })
        .collect();
    thread::scope(|scope| {
        let callers: Vec<_> = keys
            .iter()
            .map(|key| scope.spawn(|| host.call(key, || {})))
            .collect();
        for key in &keys {
            host.until_waiting(key, 1);
        }
        // Those beyond the threads are looked at.
        let looked_at = keys.iter().filter(|key| key.mutex.seen().waited == 0);
        for key in looked_at.take(3) {
            key.mutex.until(|seen| seen.asked >= 3 || seen.waited > 0);
        }
        for (at, key) in keys.iter().enumerate() {
            if break_some && at % 2 == 0 {
                key.mutex.seen().unreachable = true;
            }
            key.mutex.free();
        }
        for (at, (caller, key)) in callers.into_iter().zip(&keys).enumerate() {
            let gotten = caller.join().unwrap();
            if break_some && at % 2 == 0 {
                assert!(gotten.is_err() && key.creations() == 0);
            } else {
                assert_eq!(gotten.unwrap().source, Source::Created);
                assert_eq!(key.creations(), 1);
            }
        }
    });
    gauge.most.load(Ordering::SeqCst)
}

#[test]
fn many_keys_are_waited_for_by_a_bounded_number_of_threads() {
    assert_eq!(many(Waits::UntilFree, false), MOST_THREADS);
}

#[test]
fn a_mutex_out_of_reach_beyond_the_threads_holds_up_no_other() {
    assert_eq!(many(Waits::UntilFree, true), MOST_THREADS);
}

#[test]
fn a_key_beyond_the_threads_gets_one_that_is_free() {
    let gauge = Arc::<Gauge>::default();
    let host = Host::new(LEASE);
    let keys: Vec<Key> = (0..=MOST_THREADS)
        .map(|number| {
            let mutex = TestMutex::held_elsewhere(Waits::UntilFree, &gauge);
            let key = Key::new(format!("key {number}"), mutex);
            *key.value.lock().unwrap() = 1;
            // Stale: nobody waits for the thread that does.
            assert_eq!(host.call(&key, || {}).unwrap().source, Source::Stale);
            key
        })
        .collect();
    let (last, first) = keys.split_last().unwrap();
    for key in first {
        key.mutex.until(|seen| seen.waited > 0);
    }
    last.mutex.until(|seen| seen.looked > 1);
    assert_eq!(last.mutex.seen().waited, 0);
    first[0].mutex.free();
    last.mutex.until(|seen| seen.waited > 0);
    for key in &keys[1..] {
        key.mutex.free();
    }
    for key in &keys {
        host.until_free(key);
    }
}

#[test]
fn waits_go_on_when_the_last_clone_is_dropped() {
    let key = elsewhere(Waits::UntilFree);
    let mut host = Host::new(LEASE);
    *key.value.lock().unwrap() = 1;
    assert_eq!(host.call(&key, || {}).unwrap().source, Source::Stale);
    host.remote = Remote::new();
    key.mutex.until(|seen| seen.looked >= 1);
    key.mutex.free();
    host.until_free(&key);
}
