//! A child that goes on with the regions of its parent, which holds a key meanwhile.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dogpile::{Host, Region, RegionConfig};
use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{Backend, Mutex};
use dogpile_plugin_dbm::Dbm;
use dogpile_tests::locks::until_one_waits;
use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::c_library::in_a_child;
use crate::children::{LONG, Step, alone, ended};

const WRITES: u32 = 200;

fn region(file: &Path, scope: &str) -> Region {
    let config = RegionConfig::on("users", "dbm")
        .argument("filename", file.to_str().unwrap())
        .argument("dogpile_lock_scope", scope)
        .expiration_time(Duration::from_hours(1));
    let host = Host::builder()
        .plugin(dogpile_plugin_dbm::plugin())
        .region(config)
        .build();
    host.unwrap().region("users").unwrap()
}

fn get(region: &Region, key: &str) -> Option<u32> {
    region.get::<u32>(key).unwrap().map(|value| *value)
}

#[test]
fn a_child_and_its_parent_hold_keys_and_values_of_one_file_and_neither_frees_the_others() {
    alone(
        "forks::a_child_and_its_parent_hold_keys_and_values_of_one_file_and_neither_frees_the_others",
        both_hold,
    );
}

fn both_hold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache");
    let users = region(&file, "key");
    users.set("from before", 1_u32).unwrap();
    let (creating, looked) = (Step::new(), Step::new());
    let held = users.get_or_create("parent's", || {
        let child = in_a_child(|| {
            assert_eq!(get(&users, "from before"), Some(1));
            users.set("from the child", 2_u32).unwrap();
            let other = region(&file, "key");
            assert!(other.key_is_locked("parent's").unwrap());
            let created = users.get_or_create("child's", || {
                creating.done();
                looked.wait();
                3_u32
            });
            assert_eq!(*created.unwrap(), 3);
            for number in 0..WRITES {
                users.set(format!("child's {number}"), number).unwrap();
            }
            assert_eq!(get(&other, "from the parent"), Some(4));
            assert!(other.key_is_locked("parent's").unwrap());
        });
        creating.wait();
        let other = region(&file, "key");
        for region in [&users, &other] {
            assert!(region.key_is_locked("child's").unwrap());
            assert_eq!(get(region, "from the child"), Some(2));
        }
        users.set("from the parent", 4_u32).unwrap();
        looked.done();
        for number in 0..WRITES {
            users.set(format!("parent's {number}"), number).unwrap();
        }
        assert_eq!(ended(child), Some(0));
        // What the child had is free, and what its parent has is not.
        assert!(!users.key_is_locked("child's").unwrap());
        assert_eq!(get(&users, "child's"), Some(3));
        assert!(other.key_is_locked("parent's").unwrap());
        5_u32
    });
    assert_eq!(*held.unwrap(), 5);
    let other = region(&file, "key");
    assert!(!other.key_is_locked("parent's").unwrap());
    for (key, value) in [("from before", 1), ("parent's", 5), ("child's", 3)] {
        assert_eq!(get(&other, key), Some(value), "{key}");
    }
    // Each kept out of the other's writes.
    for number in 0..WRITES {
        for whose in ["child's", "parent's"] {
            assert_eq!(get(&other, &format!("{whose} {number}")), Some(number));
        }
    }
    assert!(!folder.path().join("cache.damaged").exists());
}

#[test]
fn a_child_waits_for_its_parent_and_frees_what_it_has_when_it_is_killed() {
    alone(
        "forks::a_child_waits_for_its_parent_and_frees_what_it_has_when_it_is_killed",
        waits_and_is_killed,
    );
}

fn waits_and_is_killed() {
    for scope in ["key", "file"] {
        let folder = tempfile::tempdir().unwrap();
        let host = host();
        let open = || {
            let arguments = json!({
                "filename": folder.path().join("cache"),
                "dogpile_lock_scope": scope,
            });
            let arguments = serde_json::from_value(arguments).unwrap();
            Dbm::open(arguments, &host.context()).unwrap()
        };
        let (on, other) = (open(), open());
        let mutex = |on: &Dbm| on.mutex(&host.key("a").as_key()).unwrap().unwrap();
        let wait_for = |mutex: &dyn Mutex| loop {
            if let Some(lease) = mutex.try_acquire(LONG).unwrap() {
                return lease;
            }
            mutex.wait(LONG).unwrap();
        };
        let lease = mutex(&on).try_acquire(LONG).unwrap().unwrap();
        let (asked, got) = (Step::new(), Step::new());
        let child = in_a_child(|| {
            // Its parent's lease is not its own, to give back or to store under.
            mutex(&on).release(lease).unwrap();
            assert!(mutex(&on).try_acquire(LONG).unwrap().is_none());
            asked.done();
            wait_for(&*mutex(&on));
            got.done();
            loop {
                thread::park();
            }
        });
        asked.wait();
        assert!(mutex(&other).is_locked().unwrap());
        mutex(&on).release(lease).unwrap();
        got.wait();
        for on in [&on, &other] {
            assert!(mutex(on).try_acquire(LONG).unwrap().is_none(), "{scope}");
        }
        kill_process(child, Signal::KILL).unwrap();
        assert_eq!(ended(child), None);
        wait_for(&*mutex(&other));
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_free_though_a_child_has_its_file_open() {
    alone(
        "forks::what_nobody_waits_for_any_more_is_free_though_a_child_has_its_file_open",
        given_up,
    );
}

/// Until the thread that was blocked has got what nobody wants, and given it back.
fn until_no_thread_waits() {
    let waits = |task: io::Result<DirEntry>| {
        let name = fs::read_to_string(task.unwrap().path().join("comm"));
        name.is_ok_and(|name| name.starts_with("dogpile-dbm"))
    };
    while fs::read_dir("/proc/self/task").unwrap().any(waits) {
        thread::yield_now();
    }
}

fn given_up() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    let open = || {
        let arguments = json!({ "filename": folder.path().join("cache") });
        let arguments = serde_json::from_value(arguments).unwrap();
        Dbm::open(arguments, &host.context()).unwrap()
    };
    let (on, other) = (open(), open());
    let mutex = |on: &Dbm| on.mutex(&host.key("a").as_key()).unwrap().unwrap();
    let held = mutex(&other);
    let lease = held.try_acquire(LONG).unwrap().unwrap();
    mutex(&on).wait(Duration::from_millis(1)).unwrap();
    until_one_waits(&folder.path().join("cache.dogpile.lock"));
    let child = in_a_child(|| {
        loop {
            thread::park();
        }
    });
    held.release(lease).unwrap();
    until_no_thread_waits();
    let taken = held.try_acquire(LONG).unwrap();
    kill_process(child, Signal::KILL).unwrap();
    assert_eq!(ended(child), None);
    assert!(taken.is_some());
}
