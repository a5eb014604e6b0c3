//! Shared invalidations over reloads.

use std::time::Instant;

use dogpile::{Clock, Host, Invalidation, Region};

use crate::probe::Log;
use crate::support::{DEADLINE, Site, change, contains, refusal, until, whole};

const RECORD: &str = "_dogpile_inv:users";

fn users(log: &str, tag: &str, more: &str) -> String {
    format!(
        "[regions.users]\nbackend = \"probe\"\nexpiration_time = 100\n\
         arguments = {{ log = \"{log}\", tag = \"{tag}\", shared = true }}\n{more}\n"
    )
}

fn opened(site: &Site) -> (Host, Region) {
    let (clock, _) = Clock::manual(1_700_000_000_000_000_000);
    let host = site.builder().clock(clock).watch(false).build().unwrap();
    let users = host.region("users").unwrap();
    (host, users)
}

/// How often an instance was asked for the record.
fn reads(log: &Log, instance: usize) -> usize {
    let gets = log.seen(instance).gets;
    gets.iter().filter(|key| *key == RECORD).count()
}

#[test]
fn another_interval_is_followed_and_local_ends_the_polls() {
    let name = "intervals";
    let log = Log::named(name);
    let every = |interval: &str| {
        users(
            name,
            "a",
            &format!("invalidation_interval = \"{interval}\""),
        )
    };
    let site = Site::new(&every("1h"));
    let (host, users_region) = opened(&site);
    // At the opening, and by the first poll.
    until("two reads", || reads(&log, 0) == 2);
    site.save(&every("1ms"));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "users").1, ["invalidation_interval"]);
    until("more reads", || reads(&log, 0) > 10);
    site.save(&users(name, "a", "invalidation = \"local\""));
    let reload = host.reload().unwrap();
    assert_eq!(
        change(&reload, "users").1,
        ["invalidation", "invalidation_interval"]
    );
    users_region.invalidate(Invalidation::Hard).unwrap();
    assert!(log.seen(0).sets.is_empty());
    assert_eq!(log.opened(), 1);
}

#[test]
fn another_instance_is_told_what_was_invalidated() {
    let name = "told";
    let log = Log::named(name);
    let interval = "invalidation_interval = \"1h\"";
    let site = Site::new(&users(name, "a", interval));
    let (host, users_region) = opened(&site);
    users_region.invalidate(Invalidation::Hard).unwrap();
    site.save(&users(name, "b", interval));
    host.reload().unwrap();
    until("it is written there", || log.seen(1).sets == [RECORD]);
    assert!(users_region.get::<i32>("k").unwrap().is_none());
}

#[test]
fn a_storage_that_hangs_delays_a_reload_no_longer_than_its_opening_may_take() {
    let name = "hangs in its record";
    let log = Log::named(name);
    let site = Site::new(&users(name, "a", ""));
    let (host, users_region) = opened(&site);
    log.hold("get", "b");
    let hurried = whole(&users(name, "b", "")).replace("[host]", "[host]\nopen_timeout = 0.05");
    site.replace("dogpile.toml", hurried);
    let began = Instant::now();
    host.reload().unwrap();
    assert!(began.elapsed() < DEADLINE / 2);
    assert_eq!(log.opened(), 2);
    log.let_go();
    users_region.set("k", 1).unwrap();
    assert!(users_region.get::<i32>("k").unwrap().is_some());
}

#[test]
fn what_nobody_else_sees_cannot_be_shared() {
    let memory = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 1\n";
    let site = Site::new(memory);
    let (host, _) = opened(&site);
    site.save(&format!("{memory}invalidation = \"shared\"\n"));
    contains(
        &refusal(&host),
        &["invalidation = \"shared\"", "`memory`", "\"local\""],
    );
}
