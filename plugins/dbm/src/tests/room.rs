//! What is purged and evicted.

use std::time::Duration;

use dogpile_plugin_api::testing::TestHost;
use dogpile_plugin_api::{Backend, BackendStats};

use super::support::Bench;
use crate::byte_size::ByteSize;
use crate::dbm::Dbm;
use crate::store::Store;

const NOW: u64 = 1_000_000_000;

fn counted(stats: &BackendStats) -> [u64; 4] {
    [
        stats.entries,
        stats.bytes,
        stats.evictions,
        stats.expirations,
    ]
    .map(Option::unwrap)
}

fn small(bench: &Bench) -> Dbm {
    let mut arguments = bench.arguments();
    arguments.max_bytes = ByteSize::mebibytes(1);
    Dbm::open(arguments, &bench.host.context()).unwrap()
}

#[test]
fn what_is_past_its_end_is_not_found_and_is_purged_by_later_stores_a_few_at_a_time() {
    let mut bench = Bench::new();
    bench.host = TestHost::at(NOW);
    let on = bench.open().unwrap();
    for number in 0..40 {
        bench
            .set_until(&on, &format!("short {number}"), b"value", NOW + 1_000_000)
            .unwrap();
    }
    bench.set(&on, "long", b"value").unwrap();
    assert_eq!(counted(&on.stats().unwrap())[0], 41);
    bench.host.advance(Duration::from_millis(1));
    assert_eq!(bench.get(&on, "short 0").unwrap(), None);
    assert_eq!(counted(&on.stats().unwrap())[0], 41);
    let mut left = Vec::new();
    for _ in 0..4 {
        bench.set(&on, "another", b"value").unwrap();
        left.push(counted(&on.stats().unwrap())[0]);
    }
    assert_eq!(left, [26, 10, 2, 2]);
    let [_, _, evicted, expired] = counted(&on.stats().unwrap());
    assert_eq!((evicted, expired), (0, 40));
    assert!(bench.get(&on, "long").unwrap().is_some());
}

#[test]
fn a_store_over_what_is_past_its_end_is_not_purged_with_it() {
    let mut bench = Bench::new();
    bench.host = TestHost::at(NOW);
    let on = bench.open().unwrap();
    bench.set_until(&on, "a", b"old", NOW + 10).unwrap();
    bench
        .set_until(&on, "a", b"new", NOW + 1_000_000_000)
        .unwrap();
    bench.host.advance(Duration::from_nanos(20));
    bench.set(&on, "b", b"value").unwrap();
    assert_eq!(bench.get(&on, "a").unwrap().unwrap(), b"new");
    assert_eq!(counted(&on.stats().unwrap())[0], 2);
}

#[test]
fn when_it_is_full_the_oldest_go_first_and_the_limit_holds() {
    let bench = Bench::new();
    let on = small(&bench);
    for number in 0..2_000 {
        bench
            .set(&on, &format!("key {number:04}"), &[1; 1_000])
            .unwrap();
        let bytes = counted(&on.stats().unwrap())[1];
        assert!(bytes <= 1 << 20, "{bytes}");
    }
    let [entries, _, evictions, _] = counted(&on.stats().unwrap());
    assert_eq!(entries + evictions, 2_000);
    assert!(entries > 350, "{entries}");
    let is_there = |number: u64| {
        bench
            .get(&on, &format!("key {number:04}"))
            .unwrap()
            .is_some()
    };
    let first = 2_000 - entries;
    assert!(!is_there(first - 1) && is_there(first) && is_there(1_999));
    let length = std::fs::metadata(bench.data()).unwrap().len();
    assert!(length < 2 << 20, "{length}");
}

#[test]
fn a_store_makes_an_entry_young_again() {
    let bench = Bench::new();
    let on = small(&bench);
    bench.set(&on, "often", &[1; 1_000]).unwrap();
    for number in 0..3_000 {
        bench
            .set(&on, &format!("key {number}"), &[1; 1_000])
            .unwrap();
        if number % 200 == 0 {
            bench.set(&on, "often", &[1; 1_000]).unwrap();
        }
    }
    assert!(bench.get(&on, "often").unwrap().is_some());
}

#[test]
fn a_value_larger_than_all_room_is_not_stored_and_replaces_nothing_by_itself() {
    let bench = Bench::new();
    let on = small(&bench);
    bench.set(&on, "a", b"small").unwrap();
    bench.set(&on, "b", b"small").unwrap();
    bench.set(&on, "a", &vec![1; 2 << 20]).unwrap();
    assert_eq!(bench.get(&on, "a").unwrap(), None);
    assert!(bench.get(&on, "b").unwrap().is_some());
    assert_eq!(counted(&on.stats().unwrap())[0], 1);
}

#[test]
fn what_is_counted_is_what_there_is_after_stores_deletions_and_clears() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    for round in 0..3 {
        for number in 0..50 {
            let until = if number % 2 == 0 {
                0
            } else {
                u64::MAX - number
            };
            bench
                .set_until(&on, &format!("key {number}"), &vec![1; 100 * round], until)
                .unwrap();
        }
    }
    assert_eq!(counted(&on.stats().unwrap())[0], 50);
    for number in 0..50 {
        bench.delete(&on, &format!("key {number}")).unwrap();
    }
    assert_eq!(counted(&on.stats().unwrap())[..2], [0, 0]);
    bench.set(&on, "a", b"value").unwrap();
    on.clear().unwrap();
    assert_eq!(counted(&on.stats().unwrap())[..2], [0, 0]);
}

#[test]
fn a_store_of_more_than_all_room_keeps_its_last_entries_and_makes_the_file_no_larger() {
    let bench = Bench::new();
    let on = small(&bench);
    bench.set(&on, "0", b"before").unwrap();
    let keys: Vec<_> = (0..2_000)
        .map(|number| bench.host.key(number.to_string()))
        .collect();
    let mut entries: Vec<_> = keys
        .iter()
        .map(|key| {
            let value = bench.value(&key.as_key(), &[1; 10_000], 0);
            (key.as_key(), value)
        })
        .collect();
    let larger = bench.host.key("larger");
    let value = bench.value(&larger.as_key(), &vec![1; 2 << 20], 0);
    entries.push((larger.as_key(), value));
    on.set_multi(&entries).unwrap();
    assert_eq!(bench.get(&on, "0").unwrap(), None);
    assert_eq!(bench.get(&on, "larger").unwrap(), None);
    for number in [1_950, 1_999] {
        assert!(bench.get(&on, &number.to_string()).unwrap().is_some());
    }
    let length = std::fs::metadata(bench.data()).unwrap().len();
    assert!(length < 4 << 20, "{length}");
}

#[test]
fn a_file_grows_to_its_end_and_no_further_while_a_reader_is_stopped() {
    let bench = Bench::new();
    let on = small(&bench);
    bench.set(&on, "a", b"old").unwrap();
    let mut opening = bench.opening();
    opening.room = 1 << 20;
    let reader = opening.open(None).unwrap();
    let mut most = 0;
    // Within a read, what it may still see is kept.
    let read = reader.store.read(&[b"a"], 0, &mut |_, bytes| {
        for number in 0..3_000 {
            bench
                .set(&on, &format!("key {number}"), &[1; 10_000])
                .unwrap();
            most = most.max(std::fs::metadata(bench.data()).unwrap().len());
        }
        assert_eq!(bytes, b"old");
    });
    read.unwrap();
    assert!(most <= 16 << 20, "{most}");
    assert!(bench.get(&on, "key 2999").unwrap().is_some());
    assert!(!bench.folder.path().join("cache.damaged").exists());
}

#[test]
fn keys_of_any_length_count_for_what_they_take() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    for number in 0..30 {
        let key = format!("{number}{}", "k".repeat(1_000_000));
        bench.set(&on, &key, b"value").unwrap();
        assert_eq!(bench.get(&on, &key).unwrap().unwrap(), b"value");
    }
    let length = std::fs::metadata(bench.data()).unwrap().len();
    let counted = counted(&on.stats().unwrap())[1];
    assert!(length < 3 * counted / 2, "{length} counted as {counted}");
    for key in ["", "\0", "\u{1F600}\0", "../a"] {
        bench.set(&on, key, key.as_bytes()).unwrap();
        assert_eq!(bench.get(&on, key).unwrap().unwrap(), key.as_bytes());
    }
}

#[test]
fn a_limit_that_was_lowered_is_reached_in_steps() {
    let bench = Bench::new();
    let on = bench.open().unwrap();
    for number in 0..2_000 {
        bench
            .set(&on, &format!("key {number}"), &[1; 1_000])
            .unwrap();
    }
    on.close().unwrap();
    let on = small(&bench);
    let mut before = 2_000;
    let mut steps = 0;
    while counted(&on.stats().unwrap())[1] > 1 << 20 {
        bench.set(&on, "new", b"value").unwrap();
        let entries = counted(&on.stats().unwrap())[0];
        assert!(
            entries < before && before - entries <= 64,
            "{entries} of {before}"
        );
        before = entries;
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert!(bench.get(&on, "key 1999").unwrap().is_some());
}

#[test]
fn what_was_evicted_is_not_counted_again_when_its_end_comes() {
    let mut bench = Bench::new();
    bench.host = TestHost::at(NOW);
    let on = small(&bench);
    for number in 0..600 {
        let key = format!("key {number}");
        bench
            .set_until(&on, &key, &[1; 1_000], NOW + 1_000)
            .unwrap();
    }
    let [entries, _, evictions, _] = counted(&on.stats().unwrap());
    assert_eq!(entries + evictions, 600);
    bench.host.advance(Duration::from_millis(1));
    for _ in 0..=entries / 16 {
        bench.set(&on, "another", b"value").unwrap();
    }
    let [left, _, evicted, expired] = counted(&on.stats().unwrap());
    assert_eq!((left, evicted, expired), (1, evictions, entries));
    assert!(evictions > 100, "{evictions}");
}

#[test]
fn a_write_evicts_as_much_as_it_adds_in_one_step() {
    let bench = Bench::new();
    let on = small(&bench);
    let keys: Vec<_> = (0..1_500)
        .map(|number| bench.host.key(format!("key {number}")))
        .collect();
    let entries: Vec<_> = keys
        .iter()
        .map(|key| {
            let value = bench.value(&key.as_key(), &[1; 300], 0);
            (key.as_key(), value)
        })
        .collect();
    on.set_multi(&entries).unwrap();
    let [before, ..] = counted(&on.stats().unwrap());
    bench.set(&on, "large", &vec![1; 500_000]).unwrap();
    let [after, bytes, ..] = counted(&on.stats().unwrap());
    assert!(bytes <= 1 << 20, "{bytes}");
    assert!(before - after > 500, "{before} and {after}");
}
