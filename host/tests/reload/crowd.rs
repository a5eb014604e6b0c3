//! Reloads, one after the other, under threads that read all the time.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{Host, HostStatus};

use crate::counted::full;
use crate::support::Site;

const READERS: usize = 8;

/// Two regions of one storage, which exchange their prefixes and their proxies with each turn.
fn manifest(turn: u64) -> String {
    let even = turn.is_multiple_of(2);
    let region = |name: &str, prefix: &str| {
        let proxies = if even { "[]" } else { "[\"through\"]" };
        format!(
            "[regions.{name}]\nbackend = \"memory\"\nexpiration_time = {}\nshares_keys = true\n\
             key_prefix = \"{prefix}:\"\nproxies = {proxies}\n",
            100 + turn
        )
    };
    let (a, b) = if even { ("one", "two") } else { ("two", "one") };
    ["version = 1\n", &region("a", a), &region("b", b)].concat()
}

/// Of which turn both regions are, if they agree.
fn parity(status: &HostStatus) -> Option<u64> {
    let proxies: Vec<_> = status
        .regions
        .iter()
        .map(|region| region.proxies.len())
        .collect();
    match *proxies {
        [0, 0] => Some(0),
        [1, 1] => Some(1),
        _ => None,
    }
}

#[derive(Default)]
struct Counts {
    reads: AtomicU64,
    pairs: AtomicU64,
    failed: AtomicU64,
    mixed: AtomicU64,
}

/// Reads both regions, and whether they belong together where no reload came in between.
fn read(host: &Host, counts: &Counts) {
    let add = |count: &AtomicU64, by: bool| count.fetch_add(by.into(), Ordering::Relaxed);
    let [a, b] = ["a", "b"].map(|name| host.region(name).unwrap());
    let before = host.status();
    let [one, other] = [&a, &b].map(|region| region.get::<String>("k"));
    let after = host.status();
    add(&counts.mixed, parity(&before).is_none());
    for found in [&one, &other] {
        add(&counts.reads, true);
        // Each prefix has a value.
        add(&counts.failed, !matches!(found, Ok(Some(_))));
    }
    if let (Ok(Some(one)), Ok(Some(other)), true) =
        (one, other, before.generation == after.generation)
    {
        let expected = match parity(&before) {
            Some(0) => ["one", "two"],
            _ => ["two", "one"],
        };
        add(&counts.pairs, true);
        add(&counts.mixed, [one.as_str(), other.as_str()] != expected);
    }
}

#[test]
fn reloads_under_threads_that_read_fail_no_read_and_mix_no_two_snapshots() {
    let site = Site::empty();
    fs::write(site.manifest(), manifest(0)).unwrap();
    let host = site
        .builder()
        .plugin(dogpile_plugin_memory::plugin())
        .watch(false)
        .build()
        .unwrap();
    for (region, prefix) in [("a", "one"), ("b", "two")] {
        let region = host.region(region).unwrap();
        region.set("k", prefix.to_owned()).unwrap();
    }
    let (first, reloads) = (host.status().generation, full(10_000));
    let (counts, done) = (Counts::default(), AtomicBool::new(false));
    let began = Instant::now();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        read(&host, &counts);
                        thread::sleep(Duration::from_micros(300));
                    }
                })
            })
            .collect();
        for turn in 1..=reloads {
            fs::write(site.manifest(), manifest(turn)).unwrap();
            let reload = host.reload();
            if reload.is_err() {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(reload.unwrap().generation, first + turn);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    let [reads, pairs, failed, mixed] =
        [&counts.reads, &counts.pairs, &counts.failed, &counts.mixed]
            .map(|count| count.load(Ordering::Relaxed));
    println!(
        "{reloads} reloads under {READERS} threads in {:.1} s: {reads} reads, {failed} failed; {pairs} pairs of one \
         generation, {mixed} mixed",
        began.elapsed().as_secs_f64()
    );
    assert_eq!((failed, mixed), (0, 0));
    assert!(pairs > reloads / 10, "{pairs} pairs say too little");
}
