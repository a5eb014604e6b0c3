//! Creation locks within one process, whose instances are to each other what other processes are.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Backend, Lease, Mutex};

use super::support::Bench;
use crate::arguments::Scope;
use crate::dbm::Dbm;
use crate::lock_file::LockFile;

const LEASE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_mins(1);

fn mutex(bench: &Bench, on: &Dbm, key: &str) -> Box<dyn Mutex> {
    on.mutex(&bench.host.key(key).as_key()).unwrap().unwrap()
}

fn take(mutex: &dyn Mutex) -> Lease {
    mutex.try_acquire(LEASE).unwrap().expect("it is free")
}

fn open(bench: &Bench, scope: Scope) -> Dbm {
    let mut arguments = bench.arguments();
    arguments.dogpile_lock_scope = scope;
    Dbm::open(arguments, &bench.host.context()).unwrap()
}

#[test]
fn a_lock_has_no_end_of_its_own_and_is_kept_while_its_holder_lives() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    let own = mutex(&bench, &on, "a");
    let mut lease = own.try_acquire(Duration::ZERO).unwrap().unwrap();
    assert_eq!(lease.expires, 0);
    assert!(own.renew(&mut lease).unwrap());
    assert!(own.try_acquire(LEASE).unwrap().is_none());
    own.release(lease).unwrap();
    assert!(!own.renew(&mut lease).unwrap());
}

#[test]
fn the_lock_file_stays_empty_and_stays() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    for number in 0..20 {
        let own = mutex(&bench, &on, &format!("key {number}"));
        own.release(take(&*own)).unwrap();
    }
    on.close().unwrap();
    drop(on);
    let lock = bench.folder.path().join("cache.dogpile.lock");
    assert_eq!(std::fs::metadata(lock).unwrap().len(), 0);
}

#[test]
fn who_waits_for_another_instance_has_the_lock_as_soon_as_that_gives_it_up() {
    for scope in [Scope::Key, Scope::File] {
        let bench = Bench::new();
        let (one, other) = (open(&bench, scope), open(&bench, scope));
        let (held, wanted) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
        let lease = take(&*held);
        assert!(wanted.try_acquire(LEASE).unwrap().is_none());
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let waiter = scope.spawn(move || {
                tell.send(()).unwrap();
                loop {
                    wanted.wait(LONG).unwrap();
                    if let Some(lease) = wanted.try_acquire(LEASE).unwrap() {
                        return (wanted, lease);
                    }
                }
            });
            told.recv().unwrap();
            until_a_thread_waits(&other);
            held.release(lease).unwrap();
            let (wanted, lease) = waiter.join().unwrap();
            assert!(held.try_acquire(LEASE).unwrap().is_none());
            wanted.release(lease).unwrap();
        });
        held.release(take(&*held)).unwrap();
    }
}

fn until_a_thread_waits(on: &Dbm) {
    while on.waiting_threads() == 0 {
        thread::yield_now();
    }
}

fn until_no_thread_waits(on: &Dbm) {
    while on.waiting_threads() > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_wait_ends_in_time_and_what_is_got_after_that_is_given_back_at_once() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let (held, wanted) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
    let lease = take(&*held);
    let began = Instant::now();
    wanted.wait(Duration::from_millis(30)).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(30));
    assert_eq!(other.waiting_threads(), 1);
    held.release(lease).unwrap();
    // It is never there to be claimed, not even for a moment.
    while other.waiting_threads() > 0 {
        assert_eq!(other.granted().len(), 0);
        thread::yield_now();
    }
    assert!(!wanted.is_locked().unwrap());
    held.release(take(&*held)).unwrap();
}

#[test]
fn what_is_given_back_is_free_though_a_child_has_the_same_file_open() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let (held, wanted) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
    let lease = take(&*held);
    let by_thread = thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            loop {
                wanted.wait(LONG).unwrap();
                if let Some(lease) = wanted.try_acquire(LEASE).unwrap() {
                    return lease;
                }
            }
        });
        until_a_thread_waits(&other);
        // What a fork leaves a child with.
        let child = one.granted();
        held.release(lease).unwrap();
        let lease = waiter.join().unwrap();
        drop(child);
        lease
    });
    let child = other.granted();
    assert_eq!(child.len(), 1);
    wanted.release(by_thread).unwrap();
    held.release(take(&*held)).unwrap();
    drop(child);
}

#[test]
fn what_a_thread_got_and_nobody_claims_is_given_back() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let (held, wanted) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
    let lease = take(&*held);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wanted.wait(LONG).unwrap());
        until_a_thread_waits(&other);
        held.release(lease).unwrap();
        // It comes back, and asks for nothing.
        waiter.join().unwrap();
    });
    until_no_thread_waits(&other);
    held.release(take(&*held)).unwrap();
}

#[test]
fn closing_does_not_wait_for_threads_that_are_blocked() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let (held, wanted) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
    let lease = take(&*held);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wanted.wait(LONG).unwrap());
        until_a_thread_waits(&other);
        other.close().unwrap();
        waiter.join().unwrap();
    });
    drop(wanted);
    drop(other);
    held.release(lease).unwrap();
    // The thread that is left gets it for a moment.
    let next = bench.open().unwrap();
    let next = mutex(&bench, &next, "a");
    let lease = loop {
        match next.try_acquire(LEASE).unwrap() {
            Some(lease) => break lease,
            None => next.wait(LONG).unwrap(),
        }
    };
    next.release(lease).unwrap();
}

#[test]
fn more_keys_than_threads_are_waited_for_by_looking() {
    const KEYS: usize = 80;
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let key = |number: usize| format!("key {number}");
    let held: Vec<_> = (0..KEYS)
        .map(|number| mutex(&bench, &one, &key(number)))
        .collect();
    let leases: Vec<_> = held.iter().map(|mutex| take(&**mutex)).collect();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..KEYS)
            .map(|number| {
                let wanted = mutex(&bench, &other, &key(number));
                scope.spawn(move || {
                    loop {
                        wanted.wait(LONG).unwrap();
                        if let Some(lease) = wanted.try_acquire(LEASE).unwrap() {
                            return wanted.release(lease).unwrap();
                        }
                    }
                })
            })
            .collect();
        while other.waiting_threads() < 64 || other.waiting_callers() < KEYS {
            thread::yield_now();
        }
        assert_eq!(other.waiting_threads(), 64);
        for (mutex, lease) in held.iter().zip(leases) {
            mutex.release(lease).unwrap();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
    until_no_thread_waits(&other);
}

#[test]
fn with_a_lock_file_of_reads_and_writes_calls_wait_for_other_programs_that_have_it() {
    let bench = Bench::new();
    let mut arguments = bench.arguments();
    arguments.rw_lockfile = LockFile::On;
    let on = Dbm::open(arguments, &bench.host.context()).unwrap();
    let path = bench.folder.path().join("cache.rw.lock");
    let theirs = File::open(&path).unwrap();
    let waiter = format!(":{} ", theirs.metadata().unwrap().ino());
    let until_one_waits = || {
        let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&waiter);
        while !fs::read_to_string("/proc/locks")
            .unwrap()
            .lines()
            .any(waits)
        {
            thread::yield_now();
        }
    };
    // Whom they share it with may read.
    fs2::FileExt::lock_shared(&theirs).unwrap();
    assert_eq!(bench.get(&on, "a").unwrap(), None);
    thread::scope(|scope| {
        let writer = scope.spawn(|| bench.set(&on, "a", b"value"));
        until_one_waits();
        fs2::FileExt::unlock(&theirs).unwrap();
        writer.join().unwrap().unwrap();
    });
    fs2::FileExt::lock_exclusive(&theirs).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| bench.get(&on, "a"));
        until_one_waits();
        fs2::FileExt::unlock(&theirs).unwrap();
        assert_eq!(reader.join().unwrap().unwrap().unwrap(), b"value");
    });
}

#[test]
fn in_the_scope_of_the_file_a_process_has_it_while_any_of_its_keys_does() {
    let bench = Bench::new();
    let (one, other) = (open(&bench, Scope::File), open(&bench, Scope::File));
    let [a, b] = ["a", "b"].map(|key| mutex(&bench, &one, key));
    let c = mutex(&bench, &other, "c");
    let (first, second) = (take(&*a), take(&*b));
    assert!(c.try_acquire(LEASE).unwrap().is_none());
    assert!(c.is_locked().unwrap());
    a.release(first).unwrap();
    assert!(!a.is_locked().unwrap());
    assert!(c.try_acquire(LEASE).unwrap().is_none());
    b.release(second).unwrap();
    let third = take(&*c);
    assert!(a.try_acquire(LEASE).unwrap().is_none());
    c.release(third).unwrap();
}

#[test]
fn two_scopes_on_one_file_are_refused() {
    for (first, second) in [(Scope::Key, Scope::File), (Scope::File, Scope::Key)] {
        let bench = Bench::new();
        let one = open(&bench, first);
        let mut arguments = bench.arguments();
        arguments.dogpile_lock_scope = second;
        let refused = Dbm::open(arguments.clone(), &bench.host.context());
        let error = refused.err().unwrap();
        assert_eq!(error.place(), Some("dogpile_lock_scope"));
        drop(one);
        assert!(Dbm::open(arguments, &bench.host.context()).is_ok());
    }
}

#[test]
fn a_child_of_the_process_that_opened_it_holds_nothing_and_takes_locks_of_its_own() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let (own, theirs) = (mutex(&bench, &one, "a"), mutex(&bench, &other, "a"));
    let mut lease = take(&*own);
    // What a fork leaves a child with: all that was here, and another process number.
    one.become_a_child();
    assert!(!own.renew(&mut lease).unwrap());
    own.release(lease).unwrap();
    bench.set(&one, "a", b"value").unwrap();
    assert_eq!(bench.get(&other, "a").unwrap().unwrap(), b"value");
    let lease = theirs.try_acquire(LEASE).unwrap().unwrap();
    assert!(own.try_acquire(LEASE).unwrap().is_none());
    theirs.release(lease).unwrap();
}
