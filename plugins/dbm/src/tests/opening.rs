//! What is found where the data file is to be.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;

use dogpile_plugin_api::{Backend, ErrorKind};

use super::support::Bench;
use crate::arguments::Durability;

#[test]
fn what_was_stored_is_there_when_it_is_opened_again_in_this_run_of_the_machine() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    bench.set(&on, "a", b"kept").unwrap();
    on.close().unwrap();
    drop(on);
    assert_eq!(
        bench.get(&bench.open().unwrap(), "a").unwrap().unwrap(),
        b"kept"
    );
}

#[test]
fn who_opens_it_waits_for_whoever_is_at_it() {
    let bench = Bench::new();
    drop(bench.open().unwrap());
    let state = File::open(bench.folder.path().join("cache.state")).unwrap();
    fs2::FileExt::lock_exclusive(&state).unwrap();
    let waits = format!(":{} ", state.metadata().unwrap().ino());
    thread::scope(|scope| {
        let opened = scope.spawn(|| bench.open().map(drop));
        loop {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            let mut lines = locks.lines();
            if lines.any(|line| line.contains("-> FLOCK") && line.contains(&waits)) {
                break;
            }
            assert!(!opened.is_finished());
            thread::yield_now();
        }
        fs2::FileExt::unlock(&state).unwrap();
        opened.join().unwrap().unwrap();
    });
}

#[test]
fn after_the_machine_started_again_a_file_that_was_not_synced_is_thrown_away_and_another_is_kept() {
    for (durability, is_kept) in [(Durability::Process, false), (Durability::Power, true)] {
        let bench = Bench::new();
        let mut opening = bench.opening();
        opening.durability = durability;
        let on = bench.open_as(opening).unwrap();
        bench.set(&on, "a", b"before").unwrap();
        on.close().unwrap();
        drop(on);
        let mut opening = bench.opening();
        opening.durability = durability;
        opening.boot = [b'x'; 36];
        let on = bench.open_as(opening).unwrap();
        assert_eq!(
            bench.get(&on, "a").unwrap().is_some(),
            is_kept,
            "{durability:?}"
        );
        bench.set(&on, "b", b"after").unwrap();
        assert_eq!(bench.get(&on, "b").unwrap().unwrap(), b"after");
    }
}

#[test]
fn a_file_of_another_program_is_refused_and_not_touched() {
    let mut gdbm = 0x1357_9ace_u32.to_le_bytes().to_vec();
    gdbm.extend([7; 5_000]);
    let mut sqlite = b"SQLite format 3\0".to_vec();
    sqlite.extend([7; 5_000]);
    for (content, name) in [
        (gdbm, "gdbm"),
        (sqlite, "SQLite"),
        (b"'key', (0, 512)\n".to_vec(), "dbm.dumb"),
        (b"some notes".to_vec(), "another program"),
        (vec![0; 5_000], "another program"),
    ] {
        let bench = Bench::new();
        fs::write(bench.data(), &content).unwrap();
        let error = bench.open().err().unwrap().to_string();
        assert!(error.contains(name) && error.contains("cache"), "{error}");
        assert_eq!(fs::read(bench.data()).unwrap(), content);
        assert!(!bench.folder.path().join("cache.damaged").exists());
    }
}

#[test]
fn a_redb_file_of_another_program_is_refused_and_not_touched() {
    let bench = Bench::new();
    let database = redb::Database::create(bench.data()).unwrap();
    let write = database.begin_write().unwrap();
    let theirs: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("theirs");
    write.open_table(theirs).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    let error = bench.open().err().unwrap().to_string();
    assert!(error.contains("in its own way"), "{error}");
    drop(database);
    let error = bench.open().err().unwrap().to_string();
    assert!(error.contains("another program"), "{error}");
    let database = redb::Database::open(bench.data()).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    let theirs = read.open_table(theirs).unwrap();
    assert_eq!(
        redb::ReadableTable::get(&theirs, 1)
            .unwrap()
            .unwrap()
            .value(),
        2
    );
}

#[test]
fn a_damaged_file_is_moved_aside_and_instances_that_have_it_open_go_on_with_the_new_one() {
    let bench = Bench::new();
    let (one, other) = (bench.open().unwrap(), bench.open().unwrap());
    bench.set(&one, "a", b"before").unwrap();
    fs::write(bench.data(), b"overwritten by somebody").unwrap();
    bench.set(&other, "b", b"after").unwrap();
    for on in [&one, &other] {
        assert_eq!(bench.get(on, "b").unwrap().unwrap(), b"after");
        assert_eq!(bench.get(on, "a").unwrap(), None);
    }
    let aside = fs::read(bench.folder.path().join("cache.damaged")).unwrap();
    assert!(aside.starts_with(b"overwritten"));
}

#[test]
fn a_file_that_was_removed_is_begun_anew_by_all_who_have_it_open_once_one_opens_it() {
    let bench = Bench::new();
    let one = bench.open().unwrap();
    bench.set(&one, "a", b"before").unwrap();
    fs::remove_file(bench.data()).unwrap();
    let other = bench.open().unwrap();
    bench.set(&other, "b", b"after").unwrap();
    assert_eq!(bench.get(&one, "a").unwrap(), None);
    assert_eq!(bench.get(&one, "b").unwrap().unwrap(), b"after");
}

#[test]
fn a_folder_that_is_missing_or_may_not_be_written_is_named_with_what_to_do() {
    let bench = Bench::new();
    let mut arguments = bench.arguments();
    arguments.filename = bench.folder.path().join("no/such/cache");
    let error = crate::dbm::Dbm::open(arguments, &bench.host.context())
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().contains("folder does not exist"),
        "{error}"
    );

    let mut arguments = bench.arguments();
    arguments.filename = bench.folder.path().to_owned();
    let error = crate::dbm::Dbm::open(arguments, &bench.host.context())
        .err()
        .unwrap();
    assert!(error.to_string().contains("no file"), "{error}");

    fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o555)).unwrap();
    // Root may do all.
    if fs::write(bench.folder.path().join("probe"), "").is_err() {
        let error = bench.open().err().unwrap();
        assert!(error.to_string().contains("may not write"), "{error}");
    }
    fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o755)).unwrap();
    // A file system that nobody can write to.
    if Path::new("/proc/version").exists() {
        let mut arguments = bench.arguments();
        arguments.filename = "/proc/cache".into();
        let error = crate::dbm::Dbm::open(arguments, &bench.host.context())
            .err()
            .unwrap();
        assert!(error.to_string().contains("/proc/cache"), "{error}");
    }
}

#[test]
fn two_instances_that_rely_on_different_things_are_refused() {
    let bench = Bench::new();
    let _one = bench.open().unwrap();
    let mut opening = bench.opening();
    opening.durability = Durability::Power;
    let error = bench.open_as(opening).err().unwrap().to_string();
    assert!(error.contains("durability"), "{error}");
}

#[test]
fn a_file_that_is_far_too_large_for_what_is_in_it_is_made_smaller_when_it_is_opened() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    for number in 0..400 {
        bench
            .set(&on, &format!("key {number}"), &vec![1; 100_000])
            .unwrap();
    }
    for number in 1..400 {
        bench.delete(&on, &format!("key {number}")).unwrap();
    }
    // Killed: closed as it is, where an end in order would have given back what is free at the end of the file.
    on.become_a_child();
    drop(on);
    let before = fs::metadata(bench.data()).unwrap().len();
    let on = bench.open().unwrap();
    let after = fs::metadata(bench.data()).unwrap().len();
    assert!(after < before / 4, "{before} bytes, then {after}");
    assert_eq!(bench.get(&on, "key 0").unwrap().unwrap().len(), 100_000);
}
