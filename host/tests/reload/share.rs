//! Regions that would use the same keys.

use dogpile::{ChangeKind, Host, RegionConfig};

use crate::probe::Log;
use crate::support::{Site, change, contains, refusal, until};

fn probe(name: &str, log: &str, more: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"probe\"\narguments = {{ log = \"{log}\", shared = true }}\n{more}\n"
    )
}

#[test]
fn two_regions_on_the_same_keys_of_a_shared_storage_are_refused() {
    let log = "same keys";
    let site = Site::new(&probe("a", log, ""));
    let host = site.open_unwatched();
    site.save(&[probe("a", log, ""), probe("b", log, "")].concat());
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:10:1",
            "`a`",
            "`b`",
            "shares_keys",
            "key_prefix",
        ],
    );
    // One alone cannot say so.
    site.save(&[probe("a", log, "shares_keys = true"), probe("b", log, "")].concat());
    contains(&refusal(&host), &["`a`", "`b`"]);
    site.save(&[probe("a", log, ""), probe("b", log, "key_prefix = \"b:\"")].concat());
    host.reload().unwrap();
}

#[test]
fn a_region_on_the_keys_of_one_that_is_configured_in_code_is_refused_wherever_it_comes_second() {
    let log = "keys of code";
    let in_code = |name: &str| {
        RegionConfig::on(name, "probe")
            .argument("log", log)
            .argument("shared", true)
    };
    let site = Site::new("");
    let host = site.open_unwatched();
    host.configure(in_code("z")).unwrap();
    let more = "key_prefix = \"\"";
    site.save(
        &[
            probe("other", log, "key_prefix = \"o:\""),
            probe("a", log, more),
        ]
        .concat(),
    );
    contains(
        &refusal(&host),
        &[
            "key_prefix = \"\"",
            "regions `a` and `z` (configured in code)",
            "shares_keys",
        ],
    );
    site.save(&probe("a", log, "key_prefix = \"a:\""));
    host.reload().unwrap();
    let error = host.configure(in_code("b").key_prefix("a:")).err().unwrap();
    contains(
        &error.to_string(),
        &["regions `a` and `b` (configured in code)", "shares_keys"],
    );
    // Both say so: one instance serves both.
    site.save(&probe("a", log, SHARED));
    contains(&refusal(&host), &["`a`", "`z`"]);
    let log = "keys of code, shared";
    site.save(&probe("a", log, SHARED));
    host.reload().unwrap();
    let shared = RegionConfig::on("y", "probe")
        .argument("log", log)
        .argument("shared", true)
        .shares_keys();
    host.configure(shared).unwrap().set("k", 1).unwrap();
    assert_eq!((get(&host, "a"), Log::named(log).opened()), (Some(1), 1));
}

#[test]
fn two_regions_in_memory_share_nothing() {
    let site = Site::new("[regions.a]\nbackend = \"memory\"\n[regions.b]\nbackend = \"memory\"\n");
    let host = site.open_unwatched();
    let (a, b) = (host.region("a").unwrap(), host.region("b").unwrap());
    a.set("k", 1).unwrap();
    assert!(b.get::<i32>("k").unwrap().is_none());
}

const SHARED: &str = "shares_keys = true";

fn get(host: &Host, region: &str) -> Option<i32> {
    let got = host.region(region).unwrap().get::<i32>("k").unwrap();
    got.as_deref().copied()
}

#[test]
fn regions_that_share_their_keys_share_one_instance() {
    let log = "sharing";
    let site = Site::new(&[probe("a", log, SHARED), probe("b", log, SHARED)].concat());
    let host = site.open_unwatched();
    host.region("a").unwrap().set("k", 1).unwrap();
    assert_eq!(get(&host, "b"), Some(1));
    assert_eq!(Log::named(log).opened(), 1);

    // One goes: the instance stays for the other.
    site.save(&probe("b", log, SHARED));
    host.reload().unwrap();
    assert_eq!(get(&host, "b"), Some(1));
    assert_eq!(Log::named(log).closes(), [0]);
}

#[test]
fn a_region_that_joins_others_finds_their_entries_and_they_keep_them() {
    let log = "joining";
    let site = Site::new(&[probe("m", log, SHARED), probe("n", log, SHARED)].concat());
    let host = site.open_unwatched();
    host.region("m").unwrap().set("k", 1).unwrap();
    let all = ["a", "m", "n", "z"].map(|name| probe(name, log, SHARED));
    site.save(&all.concat());
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "m").0, ChangeKind::Kept);
    for name in ["a", "m", "n", "z"] {
        assert_eq!(get(&host, name), Some(1), "{name}");
    }
    assert_eq!(Log::named(log).closes(), [0]);
}

#[test]
fn a_region_that_begins_or_ends_to_share_says_that_its_instance_is_swapped() {
    let log = "begins to share";
    let site = Site::new(&probe("a", log, ""));
    let host = site.open_unwatched();
    for more in [SHARED, ""] {
        host.region("a").unwrap().set("k", 1).unwrap();
        let opened = Log::named(log).opened();
        site.save(&probe("a", log, more));
        let planned = change(&host.plan().unwrap(), "a").0;
        let applied = change(&host.reload().unwrap(), "a").0;
        assert_eq!(planned, applied);
        let kept = get(&host, "a").is_some();
        assert_eq!(kept, applied == ChangeKind::Changed);
        assert_eq!(kept, Log::named(log).opened() == opened);
    }
}

#[test]
fn an_instance_that_regions_shared_is_closed_once_when_all_have_left_it() {
    let log = "leaving";
    let site = Site::new(&[probe("a", log, SHARED), probe("b", log, SHARED)].concat());
    let host = site.open_unwatched();
    site.save("[regions.a]\nbackend = \"null\"\n[regions.b]\nbackend = \"null\"\n");
    host.reload().unwrap();
    let log = Log::named(log);
    until("the shared instance is closed", || log.closes() == [1]);
    assert_eq!(log.faults(), Vec::<String>::new());
}
