//! What others do to the folder: before a file is opened, and while it is open.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
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
