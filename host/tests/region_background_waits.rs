//! Creations in the background that wait for each other.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::{Arc, Barrier};

use dogpile::{RegionConfig, Source};

use region_support::{SECOND, region, until_refreshed};

#[test]
fn a_creation_that_waits_for_one_in_the_queue_leaves_it_a_thread() {
    const THREADS: usize = 8;
    let (users, hand) = region(
        RegionConfig::on("users", "memory")
            .expiration_time(60 * SECOND)
            .background_refresh(),
    );
    let keys: Vec<_> = (0..THREADS).map(|key| key.to_string()).collect();
    let all = keys.iter().map(String::as_str).chain(["queued"]);
    users.set_multi(all.map(|key| (key, 1))).unwrap();
    hand.advance(61 * SECOND);
    let deleted = Arc::new(Barrier::new(THREADS + 1));
    for key in &keys {
        let (deleted, own) = (Arc::clone(&deleted), users.clone());
        let create = move || {
            deleted.wait();
            *own.get_or_create("queued", || 2).unwrap()
        };
        let got = users.entry(key).background(create).get_or_create().unwrap();
        assert_eq!(got.source(), Source::Stale);
    }
    let queued = users.entry("queued").background(|| 2).get_or_create();
    assert_eq!(queued.unwrap().source(), Source::Stale);
    users.delete("queued").unwrap();
    deleted.wait();
    for key in &keys {
        until_refreshed(&users, key);
        assert_eq!(*users.get::<i32>(key).unwrap().unwrap(), 2);
    }
}
