//! Tags: what they outdate, and that they travel with their values.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use dogpile::{Invalidation, ManualClock, MissReason, Region, RegionConfig, Source};

use region_support::{SECOND, TICK, all_misses, beside_a_creation, region, until_waiting};

/// The same region on objects and on bytes.
fn both() -> [(Region, ManualClock); 2] {
    let config = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
    [config.clone(), config.argument("storage", "bytes")].map(region)
}

fn is_fresh(region: &Region, key: &str) -> bool {
    region.get::<i32>(key).unwrap().is_some()
}

#[test]
fn each_tag_outdates_its_values_and_no_others() {
    for (users, hand) in both() {
        users.entry("a").tags(["red", "round"]).set(1).unwrap();
        users
            .entry("b")
            .tags(["round"])
            .get_or_create(|| 1)
            .unwrap();
        users.entry("c").tags(["blue"]).set(1).unwrap();
        users.set("d", 1).unwrap();
        let fresh = || ["a", "b", "c", "d"].map(|key| is_fresh(&users, key));
        users
            .invalidate_tags(["never seen"], Invalidation::Hard)
            .unwrap();
        users.invalidate_tags([""; 0], Invalidation::Hard).unwrap();
        assert_eq!(fresh(), [true; 4]);
        users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
        assert_eq!(fresh(), [false, true, true, true]);
        users
            .invalidate_tags(["round", "blue"], Invalidation::Hard)
            .unwrap();
        assert_eq!(fresh(), [false, false, false, true]);
        // What is created after it is not outdated, though the clock stands.
        users.entry("a").tags(["red", "round"]).set(2).unwrap();
        hand.advance(TICK);
        assert_eq!(fresh(), [true, false, false, true]);
        users.invalidate(Invalidation::Hard).unwrap();
        assert_eq!(fresh(), [false; 4]);
    }
}

#[test]
fn a_tagged_hit_is_counted_and_expires_as_any_other() {
    for (users, hand) in both() {
        users.entry("a").tags(["red"]).set(1).unwrap();
        let again = users.get_or_create("a", || 2).unwrap();
        assert_eq!((*again, again.source()), (1, Source::Fresh));
        assert_eq!(users.stats().hits, 1);
        hand.advance(60 * SECOND + TICK);
        assert!(!is_fresh(&users, "a"));
        assert_eq!(all_misses(&users), [(MissReason::Expired, 1)]);
    }
}

#[test]
fn a_soft_invalidation_of_a_tag_serves_the_old_value_while_a_new_one_is_created() {
    for (index, (users, _)) in both().into_iter().enumerate() {
        let (soft, hard) = (format!("soft {index}"), format!("hard {index}"));
        for key in [&soft, &hard] {
            users.entry(key).tags(["red"]).set(1).unwrap();
        }
        users.invalidate_tags(["red"], Invalidation::Soft).unwrap();
        let served = beside_a_creation(&users, &soft, false);
        assert_eq!(served, (1, Source::Stale));
        users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
        let waited = beside_a_creation(&users, &hard, true);
        assert_eq!(waited, (2, Source::Waited));
    }
}

#[test]
fn a_value_has_the_tags_of_the_call_that_made_it() {
    for (users, _) in both() {
        users.entry("a").tags(["old"]).set(1).unwrap();
        users.entry("a").tags(["new", "b|", "new"]).set(2).unwrap();
        let metadata = users.get_value_metadata("a").unwrap().unwrap();
        assert_eq!(metadata.tags, ["b|", "new"]);
        users.invalidate_tags(["old"], Invalidation::Hard).unwrap();
        let found = users.entry("a").tags(["old"]).get::<i32>().unwrap();
        assert_eq!(found.as_deref(), Some(&2));
        users.invalidate_tags(["b|"], Invalidation::Hard).unwrap();
        assert!(!is_fresh(&users, "a"));
        users.set("a", 3).unwrap();
        assert!(
            users
                .get_value_metadata("a")
                .unwrap()
                .unwrap()
                .tags
                .is_empty()
        );
    }
}

#[test]
fn who_comes_after_a_hard_invalidation_of_a_tag_does_not_get_what_was_begun_before() {
    for (index, (users, _)) in both().into_iter().enumerate() {
        let key = &*format!("begun {index}");
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let users = &users;
            let first = scope.spawn(move || {
                users.entry(key).tags(["red"]).get_or_create(|| {
                    creating.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    1
                })
            });
            is_creating.recv().unwrap();
            let before = scope.spawn(|| users.get_or_create(key, || 2).unwrap());
            until_waiting(key, 1);
            users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
            let after = scope.spawn(|| users.entry(key).tags(["red"]).get_or_create(|| 3).unwrap());
            until_waiting(key, 2);
            go_on.send(()).unwrap();
            assert_eq!(*first.join().unwrap().unwrap(), 1);
            assert_eq!(*before.join().unwrap(), 1);
            assert_eq!(*after.join().unwrap(), 3);
        });
        assert_eq!(users.get::<i32>(key).unwrap().as_deref(), Some(&3));
    }
}

#[test]
fn objects_that_are_not_serialisable_are_read_as_others_are() {
    let (users, _) = region(RegionConfig::on("users", "memory"));
    users
        .entry("a")
        .tags(["red"])
        .set(String::from("text"))
        .unwrap();
    // Of another type: a miss, as without tags.
    assert!(users.get::<i32>("a").unwrap().is_none());
    let payload = users.get_payload("a").unwrap().unwrap();
    assert_eq!(payload.bytes, b"\"text\"");
    assert_eq!(payload.metadata.tags, ["red"]);
}

#[test]
fn several_keys_can_be_given_tags_at_once() {
    for (users, _) in both() {
        let keys = ["a", "b"];
        let create =
            |missing: &[&'static str]| missing.iter().map(|key| (*key, 1)).collect::<Vec<_>>();
        let created = users.entries(&keys).tags(["red"]).get_or_create(create);
        assert_eq!(created.unwrap().len(), 2);
        assert!(keys.iter().all(|key| is_fresh(&users, key)));
        users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
        assert!(!keys.iter().any(|key| is_fresh(&users, key)));
        users.entries(&keys).tags(["blue"]).set([2, 3]).unwrap();
        assert!(keys.iter().all(|key| is_fresh(&users, key)));
        users.invalidate_tags(["blue"], Invalidation::Hard).unwrap();
        assert!(!keys.iter().any(|key| is_fresh(&users, key)));
    }
}

#[test]
fn tags_that_are_made_by_a_call_are_not_made_on_hits() {
    for (users, _) in both() {
        let made = AtomicUsize::new(0);
        let tags = || {
            made.fetch_add(1, Ordering::Relaxed);
            vec!["red".to_owned()]
        };
        let get = |value| {
            *users
                .entry("a")
                .tags_by(&tags)
                .get_or_create(|| value)
                .unwrap()
        };
        assert_eq!(get(1), 1);
        let stored = made.load(Ordering::Relaxed);
        assert!(stored > 0);
        assert_eq!((get(2), get(3)), (1, 1));
        assert_eq!(made.load(Ordering::Relaxed), stored);
        users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
        assert_eq!(get(4), 4);
        let later = users.entry("a").tags_by(&tags).background(|| 5);
        assert_eq!(*later.get_or_create().unwrap(), 4);
    }
}
