//! What is logged of a backend that was replaced while a call hangs in it. It has a process of its own, since that has
//! one log.

#![forbid(unsafe_code)]

mod region_support;

use std::fs;
use std::path::Path;
use std::thread;

use dogpile::{Host, Trust};

use region_support::logs::of_all_threads;
use region_support::{Board, Gate, plugin, until};

fn save(folder: &Path, mangler: &str) {
    let text = format!(
        "version = 1\n[host]\ndrain_timeout = \"20ms\"\n[regions.users]\nbackend = \"spy\"\nexpiration_time = 1\n\
         arguments = {{ board = \"drained\", mangler = \"{mangler}\" }}\n"
    );
    fs::write(folder.join("dogpile.toml"), text).unwrap();
}

#[test]
fn a_backend_that_a_call_hangs_in_is_reported_once_and_closed_when_that_ends() {
    let lines = of_all_threads("dogpile.reload");
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "brackets");
    let board = Board::new("drained");
    let host = Host::builder()
        .plugin(plugin())
        .manifest(folder.path().join("dogpile.toml"))
        .trust(Trust::Off)
        .watch(false)
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let gate = Gate::on(&board, &["get"]);
    let mut calls = Vec::new();
    let reported = || {
        let lines = lines.lock().unwrap();
        let reported = lines.iter().filter(|line| line.level == "ERROR");
        reported
            .map(|line| line.message.clone())
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| gate.held().len() == 1);
        save(folder.path(), "backwards");
        host.reload().unwrap();
        until(|| !reported().is_empty());
        calls.extend(board.calls());
        assert!(calls.iter().all(|call| call != "close"), "{calls:?}");
        gate.open();
    });
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == "drop")
    });
    let closes = calls.iter().filter(|call| *call == "close");
    assert_eq!(closes.count(), 1, "{calls:?}");
    let of = "backend `spy` of plugin `dogpile` was replaced, and is held by a call that began before; it is closed when \
              that call ends";
    assert_eq!(reported(), [of]);
}
