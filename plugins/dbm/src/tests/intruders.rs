//! What others do to the folder: before a file is opened, and while it is open.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::{Backend, HostContext};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::support::Bench;
use crate::arguments::DbmArguments;
use crate::dbm::Dbm;
use crate::lock_file::LockFile;

const LEASE: Duration = Duration::from_secs(1);

fn beside(bench: &Bench, ending: &str) -> PathBuf {
    bench.folder.path().join(format!("cache.{ending}"))
}

fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// The error of an opening, which must not hang.
fn refused(arguments: DbmArguments, context: HostContext) -> String {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let error = Dbm::open(arguments, &context).err();
        tell.send(error.map(|error| error.to_string())).unwrap();
    });
    let error = told.recv_timeout(Duration::from_secs(20));
    error.expect("it does not hang").expect("it is refused")
}

#[test]
fn a_fifo_in_the_place_of_any_of_the_files_is_refused_and_does_not_hang() {
    for name in [
        "cache",
        "cache.state",
        "cache.dogpile.lock",
        "cache.rw.lock",
    ] {
        let bench = Bench::new();
        make_fifo(&bench.folder.path().join(name));
        let mut arguments = bench.arguments();
        arguments.rw_lockfile = LockFile::On;
        let error = refused(arguments, bench.host.context());
        assert!(error.contains(name) && error.contains("no file"), "{error}");
    }
}

#[test]
fn a_link_in_the_place_of_the_state_file_is_not_followed() {
    let bench = Bench::new();
    let target = bench.folder.path().join("target");
    for content in [&b""[..], b"precious"] {
        fs::write(&target, content).unwrap();
        symlink(&target, beside(&bench, "state")).unwrap();
        let error = bench.open().err().unwrap().to_string();
        assert!(error.contains("cache.state"), "{error}");
        assert_eq!(fs::read(&target).unwrap(), content);
        fs::remove_file(beside(&bench, "state")).unwrap();
    }
}

#[test]
fn files_are_not_for_others_than_the_owner_and_its_group() {
    let bench = Bench::new();
    let mut arguments = bench.arguments();
    arguments.rw_lockfile = LockFile::On;
    let on = Dbm::open(arguments, &bench.host.context()).unwrap();
    bench.set(&on, "a", b"secret").unwrap();
    let mut files = 0;
    for entry in fs::read_dir(bench.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{:?} {mode:o}", entry.file_name());
        files += 1;
    }
    assert_eq!(files, 4);
}

fn share(bench: &Bench, one: &Dbm, other: &Dbm) {
    bench.set(one, "from one", b"1").unwrap();
    assert_eq!(bench.get(other, "from one").unwrap().unwrap(), b"1");
    bench.set(other, "from other", b"2").unwrap();
    assert_eq!(bench.get(one, "from other").unwrap().unwrap(), b"2");
}

#[test]
fn a_state_file_of_another_program_is_refused_and_not_touched() {
    for content in [
        &b"my notes"[..],
        &[b'x'; 5_000],
        b"redb\x1A\x0A\xA9\x0D\x0A\0\0",
    ] {
        let bench = Bench::new();
        fs::write(beside(&bench, "state"), content).unwrap();
        let error = bench.open().err().unwrap().to_string();
        assert!(error.contains("cache.state"), "{error}");
        assert_eq!(fs::read(beside(&bench, "state")).unwrap(), content);
    }
}

#[test]
fn instances_share_one_file_again_after_the_state_file_lost_its_content() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    for content in [&b""[..], b"dbmstat1", &[0; 61]] {
        // So that the count is where it begins anew.
        fs::remove_file(bench.data()).unwrap();
        fs::write(beside(&bench, "state"), content).unwrap();
        let third = bench.open().unwrap();
        share(&bench, &one, &third);
        fs::write(beside(&bench, "state"), content).unwrap();
        share(&bench, &one, &other);
    }
}

#[test]
fn instances_share_one_file_again_after_it_was_emptied_in_place() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    for number in 0..300 {
        bench
            .set(&one, &format!("key {number}"), &[1; 900])
            .unwrap();
    }
    for _ in 0..3 {
        fs::write(bench.data(), b"").unwrap();
        let third = bench.open().unwrap();
        share(&bench, &third, &one);
        share(&bench, &other, &third);
        for number in 0..300 {
            assert_eq!(bench.get(&other, &format!("key {number}")).unwrap(), None);
        }
    }
    assert!(!beside(&bench, "damaged").exists());
}

#[test]
fn the_folder_can_be_emptied_while_instances_use_it() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let mutex = |on: &Dbm| on.mutex(&bench.host.key("a").as_key()).unwrap().unwrap();
    for replaced in [false, true] {
        bench.set(&one, "a", b"old").unwrap();
        for entry in fs::read_dir(bench.folder.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let third = replaced.then(|| bench.open().unwrap());
        assert_eq!(bench.get(&one, "a").unwrap(), None, "{replaced}");
        share(&bench, &one, &other);
        let own = mutex(&one);
        let lease = own.try_acquire(LEASE).unwrap().unwrap();
        assert!(mutex(&other).try_acquire(LEASE).unwrap().is_none());
        if let Some(third) = &third {
            share(&bench, third, &one);
            assert!(mutex(third).try_acquire(LEASE).unwrap().is_none());
        }
        own.release(lease).unwrap();
        assert!(!mutex(&other).is_locked().unwrap());
    }
}

#[test]
fn what_is_held_when_the_lock_file_is_removed_is_given_up_in_order() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let mutex = |on: &Dbm, key: &str| on.mutex(&bench.host.key(key).as_key()).unwrap().unwrap();
    let (a, b) = (mutex(&one, "a"), mutex(&one, "b"));
    let first = a.try_acquire(LEASE).unwrap().unwrap();
    fs::remove_file(beside(&bench, "dogpile.lock")).unwrap();
    // A key that is taken from now on is taken for all.
    let second = b.try_acquire(LEASE).unwrap().unwrap();
    assert!(mutex(&other, "b").try_acquire(LEASE).unwrap().is_none());
    assert!(a.try_acquire(LEASE).unwrap().is_none());
    a.release(first).unwrap();
    b.release(second).unwrap();
    for key in ["a", "b"] {
        let taken = mutex(&other, key).try_acquire(LEASE).unwrap().unwrap();
        assert!(mutex(&one, key).try_acquire(LEASE).unwrap().is_none());
        mutex(&other, key).release(taken).unwrap();
    }
}

#[test]
fn who_waits_for_a_lock_in_a_file_that_is_removed_gets_none_of_what_is_locked_in_the_next() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    let mutex = |on: &Dbm| on.mutex(&bench.host.key("a").as_key()).unwrap().unwrap();
    let lease = mutex(&one).try_acquire(LEASE).unwrap().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| mutex(&other).wait(Duration::MAX).unwrap());
        // Until the kernel has the thread: one that opens the file later opens the next.
        let number = fs::metadata(beside(&bench, "dogpile.lock")).unwrap().ino();
        let number = format!(":{number} ");
        let waits = |line: &str| line.contains("-> OFDLCK") && line.contains(&number);
        while !fs::read_to_string("/proc/locks")
            .unwrap()
            .lines()
            .any(waits)
        {
            thread::yield_now();
        }
        fs::remove_file(beside(&bench, "dogpile.lock")).unwrap();
        let third = bench.open().unwrap();
        let taken = mutex(&third).try_acquire(LEASE).unwrap().unwrap();
        mutex(&one).release(lease).unwrap();
        // The old one is free, and is nothing to wait for any more.
        while !mutex(&other).is_locked().unwrap() {
            thread::yield_now();
        }
        assert!(mutex(&other).try_acquire(LEASE).unwrap().is_none());
        mutex(&third).release(taken).unwrap();
        waiter.join().unwrap();
    });
}

#[test]
fn a_lock_file_that_is_another_of_the_files_is_refused_by_its_argument() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.path().join("sub")).unwrap();
    for name in [
        "cache.state",
        "cache.damaged",
        "./cache",
        "sub/../cache.state",
    ] {
        let path = bench.folder.path().join(name);
        for rw in [false, true] {
            let mut arguments = bench.arguments();
            let file = LockFile::At(path.clone());
            if rw {
                arguments.rw_lockfile = file;
            } else {
                arguments.dogpile_lockfile = file;
            }
            let error = Dbm::open(arguments, &bench.host.context())
                .err()
                .expect(name);
            let argument = if rw {
                "rw_lockfile"
            } else {
                "dogpile_lockfile"
            };
            assert_eq!(error.place(), Some(argument), "{name}: {error}");
        }
    }
    assert!(!beside(&bench, "state").exists());
}

#[test]
fn in_a_folder_that_anyone_can_write_to_a_file_of_another_user_is_refused() {
    for name in ["cache", "cache.state", "cache.dogpile.lock"] {
        let bench = Bench::new();
        let file = bench.folder.path().join(name);
        fs::write(&file, "").unwrap();
        if chown(&file, Some(12_345), None).is_err() {
            eprintln!("not run: this user may not give files away");
            return;
        }
        fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o777)).unwrap();
        let error = bench.open().err().expect(name).to_string();
        assert!(
            error.contains(name) && error.contains("another user"),
            "{error}"
        );
        fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o775)).unwrap();
        bench.open().unwrap();
    }
}
