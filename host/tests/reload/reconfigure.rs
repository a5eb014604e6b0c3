//! Instances that take on other arguments while they are in use.

use dogpile::{ChangeKind, Host, HostStatus};

use crate::probe::Log;
use crate::support::{Site, change, contains, refusal, until};

/// A region whose backend does `what` when it is to take these arguments on.
fn region(name: &str, log: &str, tag: &str, what: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"probe\"\n\
         arguments = {{ log = \"{log}\", tag = \"{tag}\", reconfigure = \"{what}\" }}\n"
    )
}

fn get(host: &Host, region: &str) -> Option<i32> {
    let got = host.region(region).unwrap().get::<i32>("k").unwrap();
    got.as_deref().copied()
}

fn state(status: &HostStatus, region: &str) -> String {
    let mut regions = status.regions.iter();
    let found = regions.find(|one| one.name == region).unwrap();
    found.state.clone()
}

#[test]
fn an_instance_that_takes_on_other_arguments_stays_with_its_entries() {
    let log = Log::named("takes on");
    let site = Site::new(&region("a", "takes on", "1", "take"));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    for tag in ["2", "3", "1"] {
        site.save(&region("a", "takes on", tag, "take"));
        let reload = host.reload().unwrap();
        let because = vec!["arguments.tag".to_owned()];
        assert_eq!(change(&reload, "a"), (ChangeKind::Reconfigured, because));
        contains(
            &reload.to_string(),
            &[
                "reconfigured region `a` (arguments.tag), keeps its instance and the entries that still have room",
            ],
        );
        assert_eq!((get(&host, "a"), reload.entries_lost), (Some(1), 0));
        // It has them now: nothing is to be changed.
        assert!(!host.reload().unwrap().changed);
    }
    assert_eq!(log.taken_on(), [["2", "3", "1"]]);
    assert_eq!(log.closes(), [0]);
}

#[test]
fn one_that_wants_a_new_instance_gets_it() {
    let log = Log::named("wants a new one");
    let site = Site::new(&region("a", "wants a new one", "1", "take"));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    site.save(&region("a", "wants a new one", "2", ""));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "a").0, ChangeKind::Swapped);
    assert_eq!(get(&host, "a"), None);
    until("the old one is closed", || log.closes() == [1, 0]);
}

#[test]
fn proxies_stay_around_an_instance_that_took_on_other_arguments() {
    let log = Log::named("takes on behind");
    let behind = |tag: &str, proxy: u32| {
        let proxies =
            format!("proxies = [{{ proxy = \"through\", arguments = {{ tag = {proxy} }} }}]\n");
        region("a", "takes on behind", tag, "take") + &proxies
    };
    let site = Site::new(&behind("1", 1));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    // Alone, with its proxy, and the proxy alone.
    for (tag, proxy, kind) in [
        ("2", 1, ChangeKind::Reconfigured),
        ("3", 2, ChangeKind::Reconfigured),
        ("3", 3, ChangeKind::Changed),
    ] {
        site.save(&behind(tag, proxy));
        assert_eq!(change(&host.reload().unwrap(), "a").0, kind);
        assert_eq!(get(&host, "a"), Some(1));
    }
    assert_eq!(log.taken_on(), [["2", "3"]]);
}

#[test]
fn a_plan_asks_a_copy_and_leaves_the_instance_alone() {
    let log = Log::named("copy");
    let site = Site::new(&region("a", "copy", "1", "take"));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    for (what, kind) in [
        ("take", ChangeKind::Reconfigured),
        ("", ChangeKind::Swapped),
    ] {
        site.save(&region("a", "copy", "2", what));
        let planned = host.plan().unwrap();
        assert!(planned.changed);
        assert_eq!(change(&planned, "a").0, kind);
    }
    site.save(&region("a", "copy", "2", "fail"));
    contains(
        &host.plan().unwrap_err().to_string(),
        &["did not take on its new arguments: the line is busy"],
    );
    assert_eq!(log.seen(0).taken_on, Vec::<String>::new());
    assert_eq!(get(&host, "a"), Some(1));
    // Two copies and a new one, and the copy that failed.
    until("they are closed", || log.closes() == [0, 1, 1, 1, 1]);
}

#[test]
fn what_was_taken_on_is_put_back_when_a_later_one_fails() {
    let log = Log::named("puts back");
    let all = |tag: &str, last: &str| {
        let region =
            |name: &str, what: &str| region(name, "puts back", &format!("{name}{tag}"), what);
        [region("a", "take"), region("b", "take"), region("c", last)].concat()
    };
    let site = Site::new(&all("1", "take"));
    let host = site.open_unwatched();
    for name in ["a", "b", "c"] {
        host.region(name).unwrap().set("k", 1).unwrap();
    }
    site.save(&all("2", "fail"));
    let error = refusal(&host);
    contains(
        &error,
        &[
            "dogpile.toml:",
            "did not take on its new arguments: the line is busy",
            "what had been changed already was put back:\n\
             - backend `probe` of region `b` has its old arguments again, and its entries\n\
             - backend `probe` of region `a` has its old arguments again, and its entries",
        ],
    );
    assert_eq!(log.taken_on(), [vec!["a2", "a1"], vec!["b2", "b1"], vec![]]);
    for name in ["a", "b", "c"] {
        assert_eq!(get(&host, name), Some(1), "{name}");
    }
    site.save(&all("3", "take"));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "c").0, ChangeKind::Reconfigured);
    assert_eq!(log.closes(), [0, 0, 0]);
}

#[test]
fn one_that_does_not_take_its_old_arguments_back_is_reopened_with_them() {
    let log = Log::named("no way back");
    let all = |tag: &str, first: &str, last: &str| {
        let region =
            |name: &str, what: &str| region(name, "no way back", &format!("{name}{tag}"), what);
        [region("a", first), region("b", last)].concat()
    };
    let site = Site::new(&all("1", "fail", "take"));
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    site.save(&all("2", "take", "fail"));
    contains(
        &refusal(&host),
        &["what had been changed already could not all be put back:\n\
             - backend `probe` of region `a` does not take its old arguments back: the line is busy; it is reopened \
             with them, and what it held in this process is lost"],
    );
    until("it is reopened", || {
        state(&host.status(), "a") == "open" && log.opened() == 3
    });
    assert_eq!(get(&host, "a"), None);
    until("the old one is closed", || log.closes() == [1, 0, 0]);
    // It has its old arguments.
    site.save(&all("1", "fail", "take"));
    assert!(!host.reload().unwrap().changed);
}

#[test]
fn one_that_panics_on_the_way_is_reopened_with_its_old_arguments() {
    let log = Log::named("panics on the way");
    let site = Site::new(&region("a", "panics on the way", "1", ""));
    let host = site.open_unwatched();
    site.save(&region("a", "panics on the way", "2", "panic"));
    contains(
        &refusal(&host),
        &["did not take on its new arguments", "the line is on fire"],
    );
    until("it is reopened", || {
        state(&host.status(), "a") == "open" && log.opened() == 2
    });
    site.save(&region("a", "panics on the way", "1", ""));
    assert!(!host.reload().unwrap().changed);
}

#[test]
fn one_that_does_not_answer_in_time_is_reopened_with_its_old_arguments() {
    let log = Log::named("in its own time");
    let site = Site::empty();
    let save = |tag: &str| {
        let manifest = crate::support::whole(&region("a", "in its own time", tag, "take"));
        site.replace(
            "dogpile.toml",
            manifest.replace("[host]", "[host]\nopen_timeout = \"500ms\""),
        );
    };
    save("1");
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    log.hold("reconfigure", "1");
    save("2");
    contains(
        &refusal(&host),
        &["did not take on its new arguments", "500ms"],
    );
    // It may take them on at any time yet.
    until("another one is in its place", || {
        state(&host.status(), "a") == "open" && log.opened() == 2
    });
    assert_eq!(get(&host, "a"), None);
    log.let_go();
    until("the old one is closed", || log.closes() == [1, 0]);
    assert_eq!(log.taken_on(), [vec!["2"], vec![]]);
    save("1");
    assert!(!host.reload().unwrap().changed);
}

#[test]
fn regions_that_share_an_instance_have_it_take_arguments_on_together_or_not_at_all() {
    use ChangeKind::{Added, Reconfigured, Swapped};
    let log = Log::named("shares and takes on");
    let sharing = |name: &str, tag: &str| {
        region(name, "shares and takes on", tag, "take") + "shares_keys = true\n"
    };
    let site = Site::new(&[sharing("b", "1"), sharing("c", "1")].concat());
    let host = site.open_unwatched();
    host.region("b").unwrap().set("k", 1).unwrap();
    // With one that comes.
    site.save(&["a", "b", "c"].map(|name| sharing(name, "2")).concat());
    let planned = host.plan().unwrap();
    let reload = host.reload().unwrap();
    for told in [&planned, &reload] {
        let kinds = ["a", "b", "c"].map(|name| change(told, name).0);
        assert_eq!(kinds, [Added, Reconfigured, Reconfigured]);
    }
    assert_eq!(["a", "b", "c"].map(|name| get(&host, name)), [Some(1); 3]);
    assert_eq!(log.seen(0).taken_on, ["2"]);
    // One alone leaves the others what they have.
    site.save(&[sharing("a", "2"), sharing("b", "2"), sharing("c", "3")].concat());
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "c").0, Swapped);
    assert_eq!(
        ["a", "b", "c"].map(|name| get(&host, name)),
        [Some(1), Some(1), None]
    );
    assert_eq!(log.seen(0).taken_on, ["2"]);
    // Two that want it otherwise, and each in its own way, leave it as it is for as long as calls of both are made.
    site.save(&[sharing("a", "4"), sharing("b", "5")].concat());
    let reload = host.reload().unwrap();
    assert_eq!(["a", "b"].map(|name| change(&reload, name).0), [Swapped; 2]);
    assert_eq!(["a", "b"].map(|name| get(&host, name)), [None, None]);
    assert_eq!(log.seen(0).taken_on, ["2"]);
}

#[test]
fn one_that_does_not_answer_with_its_new_arguments_is_put_back() {
    let log = Log::named("answers no more");
    let region = |tag: &str, ping: &str| {
        format!(
            "[regions.a]\nbackend = \"probe\"\narguments = {{ log = \"answers no more\", tag = \"{tag}\", \
             reconfigure = \"take\", ping = \"{ping}\" }}\n"
        )
    };
    let site = Site::new(&region("1", "fail"));
    let host = site.open_unwatched();
    site.save(&region("2", "fail"));
    contains(
        &refusal(&host),
        &["does not answer", "region `a` has its old arguments again"],
    );
    assert_eq!(log.taken_on(), [["2", "1"]]);
}

#[test]
fn the_errors_of_all_regions_are_told_whether_or_not_they_take_arguments_on() {
    let memory = |name: &str, entries: u32| {
        format!("[regions.{name}]\nbackend = \"memory\"\narguments.max_entries = {entries}\n")
    };
    let site = Site::new(&[memory("a", 1), memory("b", 1)].concat());
    let host = site.open_unwatched();
    site.save(&[memory("a", 0), memory("b", 0), memory("c", 0)].concat());
    let error = refusal(&host);
    contains(&error, &["3 errors"]);
    assert_eq!(error.matches("`memory` refuses its arguments").count(), 3);
    // Also where nothing is opened anew.
    site.save(&[memory("a", 0), memory("b", 0)].concat());
    contains(&refusal(&host), &["2 errors"]);
}
