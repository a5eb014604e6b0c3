//! Calls with several keys that begin again: what they have made they keep, whether it was stored or not, and no key is
//! counted twice.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::mpsc;
use std::thread;

use dogpile::{Invalidation, MissReason, Region, RegionConfig, Source};

use region_support::{all_misses, held, memory, region, until_waiting};

/// A call with the keys that end in `a`, `b` and `c` of `name`, of which another thread is creating `b` by `create`, and
/// `c` is stored. `meanwhile` comes before the call. Gives what the creator was asked for.
fn begins_again<T: dogpile::Cacheable>(
    users: &Region,
    name: &str,
    should_cache: bool,
    create: impl FnOnce() -> T + Send,
    meanwhile: impl FnOnce(),
) -> Vec<String> {
    let keys = ["a", "b", "c"].map(|key| format!("{name}:{key}"));
    users.set(&keys[2], 3).unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let created = users.get_or_create(&keys[1], move || {
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                create()
            });
            created.map(drop)
        });
        has_begun.recv().unwrap();
        meanwhile();
        let call = scope.spawn(|| {
            let entries = users.entries(&keys).should_cache(|_: &i32| should_cache);
            entries.get_or_create(|missing| {
                asked.push(missing.join(" "));
                missing
                    .iter()
                    .map(|key| (key.clone(), 2))
                    .collect::<Vec<_>>()
            })
        });
        until_waiting(&keys[1], 1);
        go.send(()).unwrap();
        let got = call.join().unwrap().unwrap();
        let got: Vec<_> = got.into_iter().map(Option::unwrap).collect();
        assert_eq!((*got[0], got[0].source()), (2, Source::Created));
        assert_eq!((*got[1], got[1].source()), (2, Source::Created));
        other.join().unwrap().unwrap();
    });
    asked
}

#[test]
fn what_is_not_to_be_stored_is_made_once_when_another_made_a_key_of_another_type() {
    let (users, _) = region(RegionConfig::on("users", "memory"));
    let text = || String::from("another type");
    let asked = begins_again(&users, "rounds type", false, text, || {});
    assert_eq!(asked, ["rounds type:a", "rounds type:b"]);
    let stats = users.stats();
    // Of this call `a` and `b` were missing, and `b` of the other one.
    assert_eq!(all_misses(&users), [(MissReason::Absent, 3)]);
    assert_eq!((stats.hits, stats.creations), (1, 3));
}

#[test]
fn what_a_backend_does_not_keep_is_made_once_when_another_made_an_outdated_value() {
    let (users, _) = region(RegionConfig::on("users", "null"));
    let invalidate = || users.invalidate(Invalidation::Hard).unwrap();
    let asked = begins_again(&users, "rounds null", true, || 1, invalidate);
    // It keeps nothing, so `c` is missing too.
    let first = "rounds null:a rounds null:c";
    assert_eq!(asked, [first, "rounds null:b"]);
    assert_eq!(all_misses(&users), [(MissReason::Absent, 4)]);
    assert_eq!(users.stats().creations, 4);
}

#[test]
fn a_call_of_tasks_keeps_what_it_has_made_too() {
    let (users, _) = region(RegionConfig::on("users", "null"));
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let keys = ["rounds task:a", "rounds task:b"];
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let users = &users;
        let other = scope.spawn(move || {
            users.get_or_create(keys[1], || {
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                1
            })
        });
        has_begun.recv().unwrap();
        users.invalidate(Invalidation::Hard).unwrap();
        let call = scope.spawn(|| {
            let got = users.get_or_create_multi_async(&keys, |missing| {
                asked.push(missing.clone());
                async { missing.into_iter().map(|key| (key, 2)).collect::<Vec<_>>() }
            });
            futures_executor::block_on(got)
        });
        until_waiting(keys[1], 1);
        go.send(()).unwrap();
        let got = call.join().unwrap().unwrap();
        assert!(got.iter().all(|value| value.as_deref() == Some(&2)));
        other.join().unwrap().unwrap();
    });
    assert_eq!(asked, [["rounds task:a"], ["rounds task:b"]]);
}

/// Of what it waits for, one key fails, by a creator from before an invalidation, while the other is created after it.
#[test]
fn what_a_call_waits_for_it_gets_though_it_has_to_begin_again_for_another_key() {
    let (users, _) = memory();
    let keys = ["rounds wait:a", "rounds wait:b"];
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let outdated = held(scope, |hold| {
            users.try_get_or_create(keys[1], || {
                hold.wait();
                Err::<i32, _>("no row")
            })
        });
        users.invalidate(Invalidation::Hard).unwrap();
        let unstored = held(scope, |hold| {
            let entry = users.entry(keys[0]).should_cache(|_: &i32| false);
            entry.get_or_create(|| {
                hold.wait();
                1
            })
        });
        let call = scope.spawn(|| {
            users.get_or_create_multi(&keys, |missing| {
                asked.push(missing.to_vec());
                missing.iter().map(|key| (*key, 2)).collect::<Vec<_>>()
            })
        });
        for key in keys {
            until_waiting(key, 1);
        }
        outdated.end().unwrap_err();
        unstored.end().unwrap();
        let got = call.join().unwrap().unwrap();
        let got = got.into_iter().map(Option::unwrap);
        let got: Vec<_> = got.map(|got| (*got, got.source())).collect();
        assert_eq!(got, [(1, Source::Waited), (2, Source::Created)]);
    });
    assert_eq!(asked, [[keys[1]]]);
}
