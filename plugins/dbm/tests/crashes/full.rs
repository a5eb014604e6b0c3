//! A disk without room, and a file that may not grow.

use std::path::Path;
use std::process::{Command, Stdio};

use dogpile_plugin_api::{Backend, ErrorKind};

use crate::parts::{Cache, part, program};

fn bytes(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 256).unwrap(); 10_000]
}

/// Fills the file until there is no room, and goes on with what fits.
fn fill(file: &Path) {
    let cache = Cache::open(file);
    let mut stored = 0;
    let error = loop {
        match cache.set(&format!("key {stored}"), &bytes(stored)) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 2_000, "there is no end of room");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(stored > 20, "{stored}");
    let all_are_there = |cache: &Cache| {
        for number in 0..stored {
            let found = cache.get(&format!("key {number}")).unwrap();
            assert_eq!(found, Some(bytes(number)), "{number} of {stored}");
        }
    };
    all_are_there(&cache);
    // Another instance can be opened all the same.
    all_are_there(&Cache::open(file));
    let error = cache.set("large", &vec![1; 1_000_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    all_are_there(&cache);
    // Room that is given back is used again.
    for number in 0..stored / 2 {
        cache.delete(&format!("key {number}")).unwrap();
    }
    cache.set("small", &bytes(1)).unwrap();
    assert_eq!(cache.get("small").unwrap(), Some(bytes(1)));
    cache.on.close().unwrap();
    eprintln!("{stored} stored, then: {error}");
}

#[test]
fn a_filler() {
    if let Some(file) = part("filler") {
        fill(&file);
    }
}

fn run(mut command: Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("stored, then:"), "{told}");
}

#[test]
fn a_file_that_may_not_grow_any_more_gives_errors_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let filler = program("full::a_filler", "filler", &folder.path().join("cache"));
    // In units of 1 KiB. Without the trap the signal would end the process.
    let mut shell = Command::new("bash");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""])
        .arg(filler.get_program())
        .args(filler.get_args());
    for (name, value) in filler.get_envs() {
        shell.env(name, value.unwrap());
    }
    run(shell);
}

#[test]
fn a_disk_without_room_gives_errors_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = |program: &str, arguments: &[&str]| {
        let status = Command::new(program)
            .args(arguments)
            .arg(&small)
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs"]) {
        eprintln!("not run: this user may not mount a small disk");
        return;
    }
    let output = program("full::a_filler", "filler", &small.join("cache")).output();
    assert!(mount("umount", &[]));
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("no room left"), "{told}");
}
