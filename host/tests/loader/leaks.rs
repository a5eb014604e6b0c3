//! What a thousand lies leave behind: the host nothing of its own, and what a plugin leaks is the plugin's.

use std::fs;

use dogpile::loader::Loader;
use dogpile_plugin_api::{BackendInstance, ErrorKind};

use crate::fixtures::{file, key, open_with, rust};
use crate::lies::arguments;
use crate::own_process::is_outer_of_figures;

const TIMES: u64 = 1000;
const MIB: u64 = 1 << 20;

/// How much memory of this process's own is in use, in bytes.
fn in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

/// By how much a call makes the process grow that is made a thousand times, once it was made some times.
fn growth(mut call: impl FnMut()) -> u64 {
    (0..100).for_each(|_| call());
    let before = in_use();
    (0..TIMES).for_each(|_| call());
    in_use().saturating_sub(before)
}

#[test]
fn a_thousand_panics_errors_and_instances_leave_nothing_and_a_leak_is_seen() {
    let own = "leaks::a_thousand_panics_errors_and_instances_leave_nothing_and_a_leak_is_seen";
    if is_outer_of_figures(own) {
        return;
    }
    let (_folder, path) = file(&rust("lies"));
    let loaded = Loader::new().load(&path).unwrap();
    let open = |lie: &str, method: &str| -> BackendInstance {
        open_with(&loaded, "lies", &arguments(lie, method)).unwrap()
    };
    let fails = |one: &BackendInstance, kind| {
        assert_eq!(one.get(&key("a")).unwrap_err().kind(), kind);
    };
    let mut grown = Vec::new();
    for (lie, kind) in [
        ("panics", ErrorKind::Panic),
        ("throws_what_panics", ErrorKind::Panic),
        ("get_error_not_utf8", ErrorKind::Other),
    ] {
        let one = open(lie, "get");
        grown.push((lie, growth(|| fails(&one, kind))));
    }
    grown.push(("dropped", growth(|| drop(open("panics", "drop")))));
    for (lie, bytes) in &grown {
        assert!(*bytes < 8 * MIB, "{lie}: {bytes} bytes");
    }

    // 64 KiB each: the plugin's, and seen in the memory of the process.
    let leaks = open("leaks", "get");
    let bytes = growth(|| drop(leaks.get(&key("a")).unwrap()));
    let leaked = TIMES * (64 << 10);
    println!("grown by {grown:?}; by a plugin that leaks {leaked} bytes: {bytes}");
    assert!((leaked / 2..leaked + 8 * MIB).contains(&bytes), "{bytes}");
}
