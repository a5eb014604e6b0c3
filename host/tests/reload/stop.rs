//! The end of a host.

use std::fs;
use std::process::Command;

use crate::probe::Log;
use crate::support::{Site, until};

fn probe(log: &str) -> String {
    format!("[regions.a]\nbackend = \"probe\"\narguments.log = \"{log}\"\n")
}

#[test]
fn the_last_handle_keeps_its_region_and_then_everything_is_closed() {
    let log = Log::named("last handle");
    let site = Site::new(&probe("last handle"));
    let host = site.open();
    let handle = host.region("a").unwrap();
    let other = handle.clone();
    drop(host);
    drop(other);
    handle.set("k", 1).unwrap();
    assert_eq!(handle.get::<i32>("k").unwrap().as_deref(), Some(&1));
    // It follows its manifest as long as it lives.
    let text = fs::read_to_string(site.manifest()).unwrap();
    site.replace("dogpile.toml", format!("{text}expiration_time = 0\n"));
    until("the change is applied", || {
        handle.get::<i32>("k").unwrap().is_none()
    });
    drop(handle);
    until("it is closed", || log.closes() == [1]);
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn a_host_that_is_dropped_while_it_reloads_closes_everything_once() {
    let log = Log::named("dropped while it reloads");
    for turn in 0..20 {
        let site = Site::new(&probe("dropped while it reloads"));
        let host = site.open();
        site.save(&format!(
            "{}# {turn}\n[regions.b]\nbackend = \"null\"\n",
            probe("dropped while it reloads")
        ));
        if turn % 2 == 0 {
            site.applied(&host);
        }
        drop(host);
        until("it is closed", || log.closes() == vec![1; turn + 1]);
    }
    assert_eq!(log.faults(), Vec::<String>::new());
}

const INNER: &str = "DOGPILE_TEST_INNER";

#[test]
fn a_host_that_is_dropped_leaves_no_thread_behind() {
    // Other tests have threads of the same names: it needs a process of its own.
    if std::env::var_os(INNER).is_none() {
        let name = "stop::a_host_that_is_dropped_leaves_no_thread_behind";
        let output = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(INNER, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
        let mut names: Vec<_> = tasks.filter_map(|task| name(task.unwrap())).collect();
        names.retain(|name| name.starts_with("dogpile") || name.starts_with("notify"));
        names
    };
    assert_eq!(threads(), Vec::<String>::new());
    let site = Site::new(&probe("threads"));
    for _ in 0..3 {
        let host = site.open();
        let handle = host.region("a").unwrap();
        until("it watches", || {
            threads()
                .iter()
                .any(|name| name.starts_with("dogpile-watch"))
        });
        drop(host);
        drop(handle);
        until("all threads end", || threads().is_empty());
    }
    assert_eq!(Log::named("threads").closes(), [1, 1, 1]);
}
