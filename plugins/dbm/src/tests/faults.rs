//! The n-th write, sync, growth, read and opening fails, for every n that occurs.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use dogpile_plugin_api::{Backend, ErrorKind, Result};

use super::failing::{Failing, Kind};
use super::support::Bench;
use crate::arguments::Durability;
use crate::dbm::Dbm;

type Model = HashMap<&'static str, Option<Vec<u8>>>;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn bytes(step: usize) -> Vec<u8> {
    vec![u8::try_from(step).unwrap(); 700 * (step % 5) + 10]
}

/// What may be there: what was last stored for sure, and what a store since then that failed would have stored.
struct Expected {
    certain: Model,
    possible: Vec<Model>,
}

impl Expected {
    fn done(&mut self, result: Result<()>, change: &[(&'static str, Option<Vec<u8>>)]) {
        let mut after = self.certain.clone();
        after.extend(change.iter().cloned());
        match result {
            Ok(()) => {
                self.certain = after;
                self.possible.clear();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                let mut more: Vec<_> = self.possible.clone();
                for model in &mut more {
                    model.extend(change.iter().cloned());
                }
                self.possible.extend(more);
                self.possible.push(after);
            }
        }
    }

    fn check(&self, bench: &Bench, on: &Dbm) {
        let found: Model = KEYS
            .iter()
            .map(|key| (*key, bench.get(on, key).unwrap()))
            .collect();
        let same = |model: &Model| {
            KEYS.iter()
                .all(|key| model.get(key).cloned().flatten() == found[key])
        };
        assert!(
            same(&self.certain) || self.possible.iter().any(same),
            "neither before nor after what failed"
        );
    }
}

/// Stores, replaces and deletes; gives what must be there now.
fn scenario(bench: &Bench, on: &Dbm) -> Expected {
    let mut expected = Expected {
        certain: Model::new(),
        possible: Vec::new(),
    };
    for step in 0..6 {
        let key = KEYS[step % KEYS.len()];
        let stored = bench.set(on, key, &bytes(step));
        expected.done(stored, &[(key, Some(bytes(step)))]);
        // A read gives a value whole, or an error.
        if let Ok(Some(found)) = bench.get(on, key) {
            assert!((0..=step).any(|step| bytes(step) == found));
        }
    }
    let values = KEYS.map(|key| (key, Some(bytes(9))));
    let entries = KEYS.map(|key| bench.host.key(key));
    let entries: Vec<_> = entries
        .iter()
        .map(|key| (key.as_key(), bench.value(&key.as_key(), &bytes(9), 0)))
        .collect();
    expected.done(on.set_multi(&entries), &values);
    expected.done(bench.delete(on, "b"), &[("b", None)]);
    expected
}

/// Runs the scenario with each call of that kind failing in turn, and gives how many there were.
fn fail_each(kind: Kind, stays: bool, durability: Durability, error: io::ErrorKind) -> usize {
    for number in 0.. {
        let bench = Bench::new();
        let disk = Failing::at(kind, number, stays, error);
        let mut opening = bench.opening_on(Arc::new(disk.clone()));
        opening.durability = durability;
        let on = match bench.open_as(opening) {
            Ok(on) => on,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                disk.heal();
                let mut opening = bench.opening_on(Arc::new(disk.clone()));
                opening.durability = durability;
                bench.open_as(opening).unwrap()
            }
        };
        let expected = scenario(&bench, &on);
        let failed = disk.failed();
        disk.heal();
        // The same instance goes on, and so does another after it.
        expected.check(&bench, &on);
        bench.set(&on, "e", b"after all").unwrap();
        on.close().unwrap();
        drop(on);
        let mut opening = bench.opening();
        opening.durability = durability;
        let on = bench.open_as(opening).unwrap();
        expected.check(&bench, &on);
        assert_eq!(bench.get(&on, "e").unwrap().unwrap(), b"after all");
        assert!(
            !bench.folder.path().join("cache.damaged").exists(),
            "{kind:?} {number} {stays}"
        );
        if failed == 0 {
            return number;
        }
    }
    unreachable!()
}

#[test]
fn a_write_that_fails_loses_nothing_stored_before() {
    let error = io::ErrorKind::StorageFull;
    for stays in [false, true] {
        let number = fail_each(Kind::Write, stays, Durability::Process, error);
        assert!(number > 50, "{number}");
    }
}

#[test]
fn growth_that_fails_loses_nothing_stored_before() {
    let error = io::ErrorKind::StorageFull;
    for stays in [false, true] {
        let number = fail_each(Kind::Grow, stays, Durability::Process, error);
        assert!(number > 0, "{number}");
    }
}

#[test]
fn a_sync_that_fails_loses_nothing_stored_before() {
    for stays in [false, true] {
        let number = fail_each(Kind::Sync, stays, Durability::Power, io::ErrorKind::Other);
        assert!(number > 8, "{number}");
    }
}

#[test]
fn a_read_that_fails_loses_nothing_stored_before() {
    for stays in [false, true] {
        let number = fail_each(Kind::Read, stays, Durability::Process, io::ErrorKind::Other);
        assert!(number > 8, "{number}");
    }
}

#[test]
fn an_opening_that_fails_is_told_and_the_next_succeeds() {
    for stays in [false, true] {
        let error = io::ErrorKind::PermissionDenied;
        let number = fail_each(Kind::Open, stays, Durability::Process, error);
        assert_eq!(number, 1);
    }
}

#[test]
fn a_file_that_cannot_be_written_when_it_is_opened_again_is_read_or_named_and_stays() {
    for (killed, stays) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut refused = 0;
        for number in 0.. {
            let bench = Bench::new();
            let on = bench.open().unwrap();
            bench.set(&on, "a", b"before").unwrap();
            if killed {
                on.become_a_child();
            }
            drop(on);
            let disk = Failing::at(Kind::Write, number, stays, io::ErrorKind::StorageFull);
            match bench.open_as(bench.opening_on(Arc::new(disk.clone()))) {
                Ok(on) => assert_eq!(bench.get(&on, "a").unwrap().unwrap(), b"before"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    let (error, place) = (error.to_string(), bench.data().display().to_string());
                    assert_eq!(error.matches(&place).count(), 1, "{error}");
                    assert!(
                        error.contains("no room left") && error.contains("make room"),
                        "{error}"
                    );
                    refused += 1;
                }
            }
            let failed = disk.failed();
            disk.heal();
            assert!(!bench.folder.path().join("cache.damaged").exists());
            let on = bench.open().unwrap();
            assert_eq!(bench.get(&on, "a").unwrap().unwrap(), b"before");
            if failed == 0 {
                break;
            }
        }
        assert!(refused > 0, "killed: {killed}, stays: {stays}");
    }
}

#[test]
fn a_full_disk_is_named_and_what_is_stored_can_still_be_read() {
    let bench = Bench::new();
    bench.set(&bench.open().unwrap(), "a", b"before").unwrap();
    let disk = Failing::at(Kind::Write, 0, true, io::ErrorKind::StorageFull);
    // Opening writes a few bytes where there is room already.
    disk.heal();
    let on = bench
        .open_as(bench.opening_on(Arc::new(disk.clone())))
        .unwrap();
    disk.break_again();
    let error = bench.set(&on, "b", b"more").unwrap_err();
    let (error, place) = (error.to_string(), bench.data().display().to_string());
    assert!(error.contains("no room left"), "{error}");
    assert_eq!(error.matches(&place).count(), 1, "{error}");
    disk.heal();
    assert_eq!(bench.get(&on, "a").unwrap().unwrap(), b"before");
    assert_eq!(bench.get(&on, "b").unwrap(), None);
}

#[test]
fn a_disk_on_which_a_file_cannot_grow_is_named() {
    let bench = Bench::new();
    let disk = Failing::at(Kind::Grow, 1, true, io::ErrorKind::StorageFull);
    let on = bench
        .open_as(bench.opening_on(Arc::new(disk.clone())))
        .unwrap();
    bench.set(&on, "a", b"before").unwrap();
    let error = bench.set(&on, "b", &vec![1; 9 << 20]).unwrap_err();
    let (error, place) = (error.to_string(), bench.data().display().to_string());
    assert!(error.contains("no room left"), "{error}");
    assert_eq!(error.matches(&place).count(), 1, "{error}");
    assert_eq!(bench.get(&on, "a").unwrap().unwrap(), b"before");
}

#[test]
fn a_file_that_could_not_be_made_smaller_is_opened_as_it_is() {
    // The first writes are of opening itself.
    for number in [3, 20] {
        let bench = Bench::new();
        let on = bench.open().unwrap();
        let large = vec![1; 9 << 20];
        bench.set(&on, "large", &large).unwrap();
        bench.set(&on, "small", b"kept").unwrap();
        bench.delete(&on, "large").unwrap();
        // Killed, so that nothing is given back at its end.
        on.become_a_child();
        drop(on);
        let disk = Failing::at(Kind::Write, number, false, io::ErrorKind::StorageFull);
        let on = bench
            .open_as(bench.opening_on(Arc::new(disk.clone())))
            .unwrap();
        assert_eq!(disk.failed(), 1);
        assert_eq!(bench.get(&on, "small").unwrap().unwrap(), b"kept");
    }
}

#[test]
fn a_state_file_that_cannot_be_read_is_named_with_what_to_do() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    // Reading a folder fails, whoever does it.
    on.exchange_state(File::open(bench.folder.path()).unwrap());
    let error = bench.get(&on, "a").unwrap_err().to_string();
    let state = bench.folder.path().join("cache.state");
    let told = format!("{}: it is a folder, and no file: name one", state.display());
    assert!(error.starts_with(&told), "{error}");
}
