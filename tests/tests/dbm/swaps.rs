//! A manifest that is edited while callers wait for what another process creates.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use dogpile::{Clock, Host, Region};
use dogpile_tests::locks::until_one_waits;
use dogpile_tests::plugin_file;
use dogpile_tests::process::Process;
use dogpile_tests::worker::START;

use crate::processes::{Shared, manifest};

const CALLERS: usize = 8;

/// A host whose callers wait for the key that an owner, which is another process, creates.
struct Case {
    shared: Shared,
    owner: Process,
    host: Host,
}

impl Case {
    fn new() -> Self {
        let shared = Shared::new();
        save(&shared, &shared.file(), "");
        let (clock, _) = Clock::manual(START * 1_000_000_000);
        let host = Host::builder().clock(clock).manifest(place(&shared));
        let mut owner = shared.worker();
        owner.tell("hold 1 key");
        owner.expect("creating key");
        Self {
            host: host.watch(false).build().unwrap(),
            shared,
            owner,
        }
    }

    fn edit(&self, file: &Path, more: &str) {
        save(&self.shared, file, more);
        let applied = self.host.reload().unwrap();
        assert_eq!(self.host.status().last_error, None, "{applied:?}");
    }

    /// Has callers wait, does what is to be done meanwhile, and gives what each of them got: 1 from the owner, or 2.
    fn got(mut self, meanwhile: impl FnOnce(&mut Self)) -> Vec<u32> {
        let users = self.host.region("users").unwrap();
        thread::scope(|scope| {
            let call =
                |users: Region| scope.spawn(move || *users.get_or_create("key", || 2_u32).unwrap());
            let calls: Vec<ScopedJoinHandle<'_, u32>> =
                (0..CALLERS).map(|_| call(users.clone())).collect();
            until_one_waits(&self.shared.lock_file());
            meanwhile(&mut self);
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        })
    }
}

fn place(shared: &Shared) -> PathBuf {
    shared.folder().join("dogpile.toml")
}

fn save(shared: &Shared, file: &Path, more: &str) {
    let plugins = plugin_file("dbm");
    let text = manifest(plugins.parent().unwrap(), file, more);
    fs::write(place(shared), text).unwrap();
}

const OTHERS: &str = "arguments.cache_bytes = \"16MiB\"";

#[test]
fn who_waits_gets_what_the_owner_makes_through_the_new_instance() {
    let got = Case::new().got(|case| {
        case.edit(&case.shared.file(), OTHERS);
        case.owner.tell("go key");
        case.owner.expect("got 1 Created");
    });
    assert_eq!(got, [1; CALLERS]);
}

#[test]
fn one_of_those_who_wait_follows_an_owner_that_is_killed_after_the_edit() {
    let got = Case::new().got(|case| {
        case.edit(&case.shared.file(), OTHERS);
        case.owner.kill();
    });
    assert_eq!(got, [2; CALLERS]);
}

#[test]
fn where_the_edit_names_another_file_who_comes_does_not_wait_and_who_waits_gets_what_is_there_then()
{
    let got = Case::new().got(|case| {
        case.edit(&case.shared.folder().join("another"), "");
        let users = case.host.region("users").unwrap();
        let new = users.get_or_create("key", || 3_u32);
        assert_eq!(*new.unwrap(), 3);
        case.owner.tell("go key");
        case.owner.expect("got 1 Created");
    });
    assert_eq!(got, [3; CALLERS]);
}

#[test]
fn who_waits_at_most_so_long_gets_an_error_after_that_whatever_is_edited() {
    let case = Case::new();
    case.edit(&case.shared.file(), "lock_wait = \"200ms\"");
    let users = case.host.region("users").unwrap();
    thread::scope(|scope| {
        let wait = || users.get_or_create("key", || 2_u32).map(|value| *value);
        let calls: Vec<_> = (0..CALLERS).map(|_| scope.spawn(wait)).collect();
        until_one_waits(&case.shared.lock_file());
        case.edit(
            &case.shared.file(),
            &format!("lock_wait = \"200ms\"\n{OTHERS}"),
        );
        for call in calls {
            let error = call.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), dogpile::ErrorKind::LockWait, "{error}");
        }
    });
    drop(case);
}
