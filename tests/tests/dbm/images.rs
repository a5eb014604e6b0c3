//! Two images of the plugin in one process, as after its file was replaced, on one data file.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use dogpile::{Clock, Host, ManualClock, Region};
use dogpile_tests::plugin_file;

use crate::processes::{Shared, manifest};

const THREADS: usize = 4;
const EXPIRIES: u64 = 50;

/// A host with an image of its own, whose file has so many bytes more.
fn host(shared: &Shared, more: usize, clock: &Clock) -> Host {
    let folder = shared.folder().join(format!("plugins {more}"));
    fs::create_dir_all(&folder).unwrap();
    let library = plugin_file("dbm");
    let mut bytes = fs::read(&library).unwrap();
    bytes.extend(vec![0; more]);
    fs::write(folder.join(library.file_name().unwrap()), bytes).unwrap();
    let path = folder.join("dogpile.toml");
    fs::write(&path, manifest(&folder, &shared.file(), "max_stale = 0")).unwrap();
    let host = Host::builder().clock(clock.clone()).manifest(&path);
    host.watch(false).build().unwrap()
}

fn users(host: &Host) -> Region {
    host.region("users").unwrap()
}

fn both(shared: &Shared) -> ([Host; 2], ManualClock) {
    let (clock, hand) = Clock::manual(1_000_000_000_000);
    let hosts = [8, 16].map(|more| host(shared, more, &clock));
    let [one, other] = [&hosts[0], &hosts[1]].map(|host| host.status().plugins[0].generation);
    assert_ne!(one, other);
    (hosts, hand)
}

#[test]
fn they_create_once_and_see_each_others_values() {
    let shared = Shared::new();
    let (hosts, hand) = both(&shared);
    let together = Barrier::new(2 * THREADS);
    let created = AtomicU64::new(0);
    let call = |thread: usize| {
        let (users, theirs) = (users(&hosts[thread % 2]), users(&hosts[1 - thread % 2]));
        for expiry in 0..EXPIRIES {
            if together.wait().is_leader() {
                hand.advance(Duration::from_mins(2));
            }
            together.wait();
            let got = users.get_or_create("key", || {
                created.fetch_add(1, Ordering::SeqCst);
                expiry
            });
            assert_eq!(*got.unwrap(), expiry);
            // Writes of both go on at once.
            let own = format!("{thread} {expiry}");
            users.set(&own, expiry).unwrap();
            assert_eq!(*theirs.get::<u64>(&own).unwrap().unwrap(), expiry);
        }
    };
    thread::scope(|scope| {
        for thread in 0..2 * THREADS {
            let call = &call;
            scope.spawn(move || call(thread));
        }
    });
    assert_eq!(created.into_inner(), EXPIRIES);
    assert!(!shared.folder().join("cache.damaged").exists());
}

#[test]
fn one_that_is_closed_frees_nothing_that_the_other_has() {
    let shared = Shared::new();
    let ([one, other], _) = both(&shared);
    let (tell, told) = mpsc::channel::<()>();
    let (creating, begun) = mpsc::channel();
    let held = users(&other);
    thread::scope(|scope| {
        let creation = scope.spawn(move || {
            let created = held.get_or_create("key", || {
                creating.send(()).unwrap();
                told.recv().unwrap();
                1_u64
            });
            *created.unwrap()
        });
        begun.recv().unwrap();
        assert!(users(&one).key_is_locked("key").unwrap());
        drop(one);
        let (clock, _) = Clock::manual(1_000_000_000_000);
        let again = host(&shared, 8, &clock);
        assert!(users(&again).key_is_locked("key").unwrap());
        tell.send(()).unwrap();
        assert_eq!(creation.join().unwrap(), 1);
        assert!(!users(&again).key_is_locked("key").unwrap());
        assert_eq!(*users(&again).get::<u64>("key").unwrap().unwrap(), 1);
    });
}
