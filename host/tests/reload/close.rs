//! What becomes of instances that no region uses any more.

use std::thread;

use crate::probe::{Log, Seen};
use crate::support::{Site, for_a_while, until};

fn probe(name: &str, log: &str, tag: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"probe\"\narguments = {{ log = \"{log}\", tag = \"{tag}\" }}\n"
    )
}

#[test]
fn a_replaced_instance_is_closed_once_on_a_thread_of_its_own() {
    let log = Log::named("replaced");
    let site = Site::new(&probe("a", "replaced", "0"));
    let host = site.open_unwatched();
    for turn in 1..=3 {
        site.save(&probe("a", "replaced", &turn.to_string()));
        host.reload().unwrap();
        until("the old one is closed", || log.seen(turn - 1).closes == 1);
        assert_eq!(log.seen(turn - 1).closed_by, "dogpile-reaper");
        assert_eq!(log.seen(turn).closes, 0);
    }
    drop(host);
    assert_eq!(log.closes(), [1, 1, 1, 1]);
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn a_replaced_instance_is_closed_after_its_last_call() {
    let log = Log::named("last call");
    let site = Site::new(&probe("a", "last call", "old"));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    log.hold("get", "old");
    thread::scope(|scope| {
        let call = scope.spawn(|| region.get::<i32>("k"));
        log.until_held(1);
        site.save(&probe("a", "last call", "new"));
        // A call that hangs holds nobody up.
        host.reload().unwrap();
        region.set("k", 1).unwrap();
        for_a_while("it is open", || log.closes() == [0, 0]);
        log.let_go();
        assert!(call.join().unwrap().unwrap().is_none());
    });
    until("it is closed", || log.closes() == [1, 0]);
    assert_eq!(log.faults(), Vec::<String>::new());
    assert_eq!(region.get::<i32>("k").unwrap().as_deref(), Some(&1));
}

#[test]
fn instances_that_are_replaced_together_are_closed_when_no_call_of_their_time_is_left() {
    let log = Log::named("together");
    let all =
        |tag: &str| ["a", "b", "c"].map(|name| probe(name, "together", &format!("{name}{tag}")));
    let site = Site::new(&all("0").concat());
    let host = site.open_unwatched();
    for (turn, name) in ["a", "b", "c"].into_iter().enumerate() {
        let region = host.region(name).unwrap();
        log.hold("get", &format!("{name}{turn}"));
        thread::scope(|scope| {
            let call = scope.spawn(|| region.get::<i32>("k"));
            log.until_held(1);
            site.save(&all(&(turn + 1).to_string()).concat());
            host.reload().unwrap();
            assert_eq!(log.closes()[3 * turn..], [0; 6]);
            log.let_go();
            call.join().unwrap().unwrap();
        });
        until("all are closed", || {
            log.closes()[3 * turn..] == [1, 1, 1, 0, 0, 0]
        });
    }
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn a_removed_region_has_its_instance_closed() {
    let log = Log::named("removed");
    let site = Site::new(&probe("a", "removed", ""));
    let host = site.open_unwatched();
    site.save("");
    host.reload().unwrap();
    until("it is closed", || log.closes() == [1]);
}

#[test]
fn what_is_opened_for_a_manifest_that_is_refused_is_closed_unused() {
    let log = Log::named("aside");
    let site = Site::new(&probe("a", "aside", "0"));
    let host = site.open_unwatched();
    let other = "[regions.b]\nbackend = \"memory\"\narguments.max_entries = 0\n";
    site.save(&[&probe("a", "aside", "1"), other].concat());
    host.reload().unwrap_err();
    // A copy that was asked to take its arguments on, and a new one.
    until("they are closed", || log.closes() == [0, 1, 1]);
    for seen in [log.seen(1), log.seen(2)] {
        assert_eq!(seen.closed_by, "dogpile-reaper");
        assert_eq!((&seen.gets, &seen.sets), (&vec![], &vec![]));
        assert_eq!(seen.faults, Seen::default().faults);
    }
}

#[test]
fn a_close_that_hangs_holds_up_no_reload_and_no_call() {
    let log = Log::named("hanging close");
    let site = Site::new(&probe("a", "hanging close", "old"));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    log.hold("close", "old");
    site.save(&probe("a", "hanging close", "new"));
    host.reload().unwrap();
    log.until_held(1);
    region.set("k", 1).unwrap();
    site.save(&probe("a", "hanging close", "newer"));
    host.reload().unwrap();
    until("the next is closed", || log.closes() == [0, 1, 0]);
    log.let_go();
    until("all are closed", || log.closes() == [1, 1, 0]);
}

#[test]
fn a_close_that_hangs_after_a_refusal_holds_up_no_reload() {
    let log = Log::named("hanging aside");
    let site = Site::new(&probe("a", "hanging aside", "0"));
    let host = site.open_unwatched();
    log.hold("close", "1");
    let other = "[regions.b]\nbackend = \"memory\"\narguments.max_entries = 0\n";
    site.save(&[&probe("a", "hanging aside", "1"), other].concat());
    host.reload().unwrap_err();
    log.until_held(1);
    site.save(&probe("a", "hanging aside", "2"));
    host.reload().unwrap();
    log.let_go();
    until("all are closed", || log.closes() == [1, 1, 1, 0]);
}
