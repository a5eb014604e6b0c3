//! Backends of which only one instance can be open.

use std::thread;

use dogpile::{ChangeKind, ErrorKind, Host};

use crate::probe::Log;
use crate::support::{Site, change, contains, refusal, until};

fn region(name: &str, log: &str, tag: &str, more: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"probe\"\non_backend_error = \"fail\"\n\
         arguments = {{ log = \"{log}\", tag = \"{tag}\", exclusive = true{more} }}\n"
    )
}

fn state(host: &Host) -> String {
    host.status().regions[0].state.clone()
}

#[test]
fn the_old_one_is_closed_before_its_successor_opens() {
    let log = Log::named("one at a time");
    let site = Site::new(&region("a", "one at a time", "1", ""));
    let host = site.open_unwatched();
    for tag in 2..=4 {
        site.save(&region("a", "one at a time", &tag.to_string(), ""));
        let reload = host.reload().unwrap();
        assert_eq!(change(&reload, "a").0, ChangeKind::Swapped);
        host.region("a").unwrap().set("k", tag).unwrap();
    }
    assert_eq!(log.closes(), [1, 1, 1, 0]);
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn one_that_goes_makes_way_for_one_of_another_region() {
    let log = Log::named("renamed");
    let site = Site::new(&region("a", "renamed", "1", ""));
    let host = site.open_unwatched();
    site.save(&region("b", "renamed", "1", ""));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "a").0, ChangeKind::Removed);
    assert_eq!(change(&reload, "b").0, ChangeKind::Added);
    host.region("b").unwrap().set("k", 1).unwrap();
    assert_eq!(log.closes(), [1, 0]);
}

#[test]
fn one_that_takes_on_its_arguments_is_not_closed() {
    let log = Log::named("stays the one");
    let take = ", reconfigure = \"take\"";
    let site = Site::new(&region("a", "stays the one", "1", take));
    let host = site.open_unwatched();
    site.save(&region("a", "stays the one", "2", take));
    assert_eq!(
        change(&host.reload().unwrap(), "a").0,
        ChangeKind::Reconfigured
    );
    assert_eq!(
        (log.closes(), log.taken_on()),
        (vec![0], vec![vec!["2".to_owned()]])
    );
}

#[test]
fn a_plan_leaves_it_open() {
    let log = Log::named("planned one");
    let site = Site::new(&region("a", "planned one", "1", ""));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    site.save(&region("a", "planned one", "2", ""));
    let planned = host.plan().unwrap();
    assert!(planned.changed);
    assert_eq!(change(&planned, "a").0, ChangeKind::Swapped);
    assert_eq!((log.opened(), log.closes()), (1, vec![0]));
    host.region("a").unwrap().set("k", 1).unwrap();
}

#[test]
fn calls_are_refused_between_the_two() {
    let log = Log::named("between");
    let site = Site::new(&region("a", "between", "1", ""));
    let host = site.open_unwatched();
    let a = host.region("a").unwrap();
    log.hold("open", "2");
    site.save(&region("a", "between", "2", ""));
    thread::scope(|scope| {
        let reload = scope.spawn(|| host.reload());
        log.until_held(1);
        let error = a.get::<i32>("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend);
        contains(&error.to_string(), &["makes way for its successor"]);
        assert_eq!(state(&host), "closed");
        log.let_go();
        reload.join().unwrap().unwrap();
    });
    a.set("k", 1).unwrap();
    assert_eq!(state(&host), "open");
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn the_old_one_is_reopened_with_its_old_arguments_if_its_successor_does_not_open() {
    let log = Log::named("comes back");
    let proxied = |tag: &str| region("a", "comes back", tag, "") + "proxies = [\"through\"]\n";
    let site = Site::new(&proxied("1"));
    let host = site.open_unwatched();
    log.refuse("2");
    site.save(&proxied("2"));
    contains(
        &refusal(&host),
        &[
            "did not open: there is no such line",
            "what had been changed already was put back:\n- backend `probe` of region `a` was reopened with its old arguments",
        ],
    );
    host.region("a").unwrap().set("k", 1).unwrap();
    assert_eq!(
        (state(&host), log.closes()),
        ("open".to_owned(), vec![1, 0])
    );
    log.accept();
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "a").0, ChangeKind::Swapped);
    assert_eq!(log.closes(), [1, 1, 0]);
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn one_that_opens_neither_way_is_told_and_tried_again_until_it_does() {
    let log = Log::named("neither way");
    let site = Site::new(&region("a", "neither way", "1", ""));
    let host = site.open_unwatched();
    log.refuse("1");
    log.refuse("2");
    site.save(&region("a", "neither way", "2", ""));
    contains(
        &refusal(&host),
        &["what had been changed already could not all be put back:\n\
             - backend `probe` of region `a` was closed, and does not open with its old arguments: there is no such line; \
             that is tried again until it does"],
    );
    assert_eq!(state(&host), "closed");
    host.region("a").unwrap().set("k", 1).unwrap_err();
    log.accept();
    until("it is open again", || state(&host) == "open");
    host.region("a").unwrap().set("k", 1).unwrap();
    assert_eq!(log.closes(), [1, 0]);
}

#[test]
fn what_was_opened_is_closed_again_before_the_old_one_comes_back() {
    let log = Log::named("and back");
    let other = Log::named("and back, other");
    let both =
        |tag: &str| region("a", "and back", tag, "") + &region("b", "and back, other", tag, "");
    let site = Site::new(&both("1"));
    let host = site.open_unwatched();
    other.refuse("2");
    site.save(&both("2"));
    let error = refusal(&host);
    contains(
        &error,
        &["region `a` was reopened", "region `b` was reopened"],
    );
    for name in ["a", "b"] {
        host.region(name).unwrap().set("k", 1).unwrap();
    }
    // The first and the second of `a` are closed; those that came back are open.
    assert_eq!((log.closes(), other.closes()), (vec![1, 1, 0], vec![1, 0]));
    // By the reaper it might have been later.
    assert_ne!(log.seen(1).closed_by, "dogpile-reaper");
}

#[test]
fn one_whose_proxy_does_not_open_again_is_closed_again_though_that_goes_on() {
    let log = Log::named("slow proxy");
    let proxy =
        "proxies = [{ proxy = \"through\", arguments = { tag = 7, log = \"slow proxy\" } }]\n";
    let site = Site::empty();
    let save = |tag: &str| {
        let manifest = crate::support::whole(&(region("a", "slow proxy", tag, "") + proxy));
        site.replace(
            "dogpile.toml",
            manifest.replace("[host]", "[host]\nopen_timeout = \"500ms\""),
        );
    };
    save("1");
    let host = site.open_unwatched();
    log.refuse("2");
    log.hold("wrap", "7");
    save("2");
    contains(
        &refusal(&host),
        &["region `a` was closed, and does not open with its old arguments"],
    );
    // Of those that are tried from now on each finds the line free, though the proxy has the one before.
    until("another one is open", || log.opened() > 2);
    log.accept();
    log.let_go();
    until("it is open again", || state(&host) == "open");
    host.region("a").unwrap().set("k", 1).unwrap();
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn one_whose_calls_do_not_end_in_time_is_not_closed_and_the_reload_refused() {
    let log = Log::named("does not end");
    let whole = |tag: &str| {
        format!(
            "[plugins.manglers]\n{}",
            region("a", "does not end", tag, "")
        )
    };
    let site = Site::empty();
    let save = |tag: &str| {
        let manifest = crate::support::whole(&whole(tag));
        site.replace(
            "dogpile.toml",
            manifest.replace("[host]", "[host]\ndrain_timeout = \"50ms\""),
        );
    };
    save("1");
    let host = site.open_unwatched();
    let a = host.region("a").unwrap();
    log.hold("get", "1");
    thread::scope(|scope| {
        let call = scope.spawn(|| a.get::<i32>("k"));
        log.until_held(1);
        save("2");
        contains(
            &refusal(&host),
            &[
                "must be closed before another one opens, and 1 calls of it have not ended within 50ms",
            ],
        );
        a.set("k", 1).unwrap();
        log.let_go();
        call.join().unwrap().unwrap();
    });
    assert_eq!(log.closes(), [0]);
    host.reload().unwrap();
    assert_eq!(log.closes(), [1, 0]);
    assert_eq!(log.faults(), Vec::<String>::new());
}
