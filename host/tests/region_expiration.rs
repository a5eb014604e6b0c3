//! Expiration times of values' own, stored with them.

#![forbid(unsafe_code)]

mod region_support;

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dogpile::{
    Expiration, Invalidation, ManualClock, MaxStale, MissReason, Region, RegionConfig, Source,
};

use region_support::{Board, Fault, SECOND, START, all_misses, beside_a_creation, memory, region};

const NANOSECONDS: u64 = 1_000_000_000;

/// The steps of an envelope's times.
const TICK: Duration = Duration::from_micros(1);

/// The same region over objects and over bytes, both with values that expire after a minute.
fn both(name: &str, test: impl Fn(&Board, &Region, &ManualClock)) {
    let board = Board::new(name);
    for config in [board.objects(), board.bytes()] {
        let (users, hand) = region(config.expiration_time(60 * SECOND));
        test(&board, &users, &hand);
        board.remove("1");
    }
}

/// A value that says how many seconds it is good for.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "an entry calls it so")]
fn seconds(value: &u64) -> Expiration {
    match *value {
        u64::MAX => Expiration::Never,
        seconds => Duration::from_secs(seconds).into(),
    }
}

fn is_fresh(users: &Region) -> bool {
    users.get::<u64>("1").unwrap().is_some()
}

#[test]
fn every_reader_honours_a_values_own_expiration_time() {
    both("own expiration", |_, users, hand| {
        for own in [5, 3600, u64::from(u32::MAX)] {
            let entry = users.entry("1").expiration_from(seconds);
            let made = entry.get_or_create(|| own).unwrap();
            assert_eq!((*made, made.source()), (own, Source::Created));
            hand.advance(Duration::from_secs(own));
            let read = users.get_or_create("1", || -> u64 { unreachable!() });
            assert_eq!(read.unwrap().source(), Source::Fresh);
            hand.advance(TICK);
            assert!(!is_fresh(users), "{own}");
            assert_eq!(all_misses(users).last().unwrap().0, MissReason::Expired);
            users.delete("1").unwrap();
        }
        let entry = users.entry("1").expiration_from(seconds);
        entry.set(u64::MAX).unwrap();
        hand.advance(SECOND * u32::MAX);
        assert!(is_fresh(users));
    });
}

#[test]
fn it_can_be_nothing_at_all() {
    both("own expiration of nothing", |_, users, hand| {
        users.entry("1").expiration_from(seconds).set(0).unwrap();
        assert!(is_fresh(users));
        hand.advance(TICK);
        assert!(!is_fresh(users));
    });
}

#[test]
fn a_reader_can_ask_for_less_and_not_for_more() {
    both("own expiration and the call's", |_, users, hand| {
        users.entry("1").expiration_from(seconds).set(20).unwrap();
        let fresh_by = |time: Expiration| {
            let entry = users.entry("1").expiration_time(time);
            entry.get::<u64>().unwrap().is_some()
        };
        hand.advance(10 * SECOND);
        assert!(!fresh_by((9 * SECOND).into()));
        assert!(fresh_by((10 * SECOND).into()));
        hand.advance(11 * SECOND);
        assert!(!fresh_by(Expiration::Never));
        assert!(!is_fresh(users));
    });
}

#[test]
fn it_is_judged_by_the_value_that_is_stored_and_not_by_who_reads() {
    let (users, hand) = memory();
    let entry = || users.entry("1").expiration_from(seconds);
    entry().set(5).unwrap();
    hand.advance(6 * SECOND);
    // The value that is made is good for longer; the one that was there is not.
    assert_eq!(*entry().get_or_create(|| 500).unwrap(), 500);
    hand.advance(400 * SECOND);
    assert_eq!(entry().get_or_create(|| 5).unwrap().source(), Source::Fresh);
    users.set("1", 5_u64).unwrap();
    hand.advance(60 * SECOND);
    assert!(is_fresh(&users), "a value set without has none");
}

#[test]
fn an_expired_value_is_served_stale_as_any_other() {
    let (users, hand) = memory();
    for key in ["own stale", "own too stale"] {
        let entry = users
            .entry(key)
            .expiration_from(|_: &i32| (5 * SECOND).into());
        entry.set(1).unwrap();
    }
    hand.advance(65 * SECOND);
    assert_eq!(
        beside_a_creation(&users, "own stale", false),
        (1, Source::Stale)
    );
    hand.advance(TICK);
    assert_eq!(
        beside_a_creation(&users, "own too stale", true),
        (2, Source::Waited)
    );
}

#[test]
fn what_is_invalidated_is_so_whatever_its_own_expiration_time() {
    both("own expiration invalidated", |_, users, _| {
        users
            .entry("1")
            .expiration_from(seconds)
            .set(u64::MAX)
            .unwrap();
        users.invalidate(Invalidation::Hard).unwrap();
        assert!(!is_fresh(users));
    });
}

#[test]
fn none_can_expire_sooner() {
    both("none", |_, users, hand| {
        let ask = |found: Option<u64>| {
            let entry = users.entry("1").none_expiration_time(5 * SECOND);
            entry.get_or_create(|| found).unwrap()
        };
        assert_eq!(*ask(None), None);
        hand.advance(5 * SECOND);
        assert_eq!(
            (*ask(Some(1)), ask(Some(1)).source()),
            (None, Source::Fresh)
        );
        hand.advance(TICK);
        assert!(users.get::<Option<u64>>("1").unwrap().is_none());
        assert_eq!(*ask(Some(1)), Some(1));
        hand.advance(60 * SECOND);
        assert_eq!(ask(None).source(), Source::Fresh);
        hand.advance(TICK);
        assert_eq!(*ask(None), None);
    });
}

#[test]
fn none_and_other_values_can_have_expiration_times_together() {
    both("none and others", |_, users, hand| {
        let entry = || {
            let entry = users.entry("1");
            let entry = entry.expiration_from(|found: &Option<u64>| seconds(&found.unwrap()));
            entry.none_expiration_time(5 * SECOND)
        };
        let fresh = || users.get::<Option<u64>>("1").unwrap().is_some();
        entry().set(None).unwrap();
        hand.advance(5 * SECOND);
        assert!(fresh());
        hand.advance(TICK);
        assert!(!fresh());
        entry().set(Some(3600)).unwrap();
        hand.advance(3600 * SECOND);
        assert!(fresh());
        hand.advance(TICK);
        assert!(!fresh());
    });
}

#[test]
fn what_is_not_cached_is_not_asked_for_its_expiration_time() {
    let (users, _) = memory();
    let entry = users.entry("1").should_cache(|_: &u64| false);
    let entry = entry.expiration_from(|_: &u64| -> Expiration { unreachable!() });
    assert_eq!(*entry.get_or_create(|| 1).unwrap(), 1);
    assert!(!is_fresh(&users));
}

#[test]
fn a_backend_is_told_how_long_to_keep_it() {
    both("own keep until", |board, users, _| {
        let kept = |own: u64| {
            // The call's own expiration time judges what is read; what is stored has its own.
            let entry = users.entry("1").expiration_from(seconds);
            board.remove("1");
            let entry = entry.expiration_time(SECOND);
            entry.get_or_create(|| own).unwrap();
            board.stored("1").unwrap().keep_until()
        };
        assert_eq!(kept(5), (START + 65) * NANOSECONDS);
        assert_eq!(kept(3600), (START + 3660) * NANOSECONDS);
        assert_eq!(kept(u64::MAX), 0);
    });
    let board = Board::new("own keep until and max stale");
    let config = board.bytes().expiration_time(60 * SECOND);
    for (max_stale, expected) in [
        (MaxStale::For(Duration::ZERO), (START + 5) * NANOSECONDS),
        (MaxStale::Forever, 0),
    ] {
        let (users, _) = region(config.clone().max_stale(max_stale));
        users.entry("1").expiration_from(seconds).set(5).unwrap();
        assert_eq!(board.stored("1").unwrap().keep_until(), expected);
    }
}

#[test]
fn it_is_stored_in_the_envelope_and_read_by_another_region() {
    let board = Board::new("own in the envelope");
    let (users, _) = region(board.bytes().expiration_time(60 * SECOND));
    users.entry("1").expiration_from(seconds).set(5).unwrap();
    assert_eq!(
        board.text("1"),
        r#"{"ct":4000000000.0,"v":2,"ku":4000000065.0,"et":5.0,"sz":"json"}|5"#
    );
    users
        .entry("2")
        .expiration_from(seconds)
        .set(u64::MAX)
        .unwrap();
    assert!(
        board
            .text("2")
            .starts_with(r#"{"ct":4000000000.0,"v":2,"et":-1.0,"#)
    );
    let (other, hand) = region(board.bytes().expiration_time(3600 * SECOND));
    hand.advance(5 * SECOND);
    assert!(is_fresh(&other));
    hand.advance(TICK);
    assert!(!is_fresh(&other));
    hand.advance(SECOND * u32::MAX);
    assert!(other.get::<u64>("2").unwrap().is_some());
}

#[test]
fn metadata_tells_it() {
    both("own in metadata", |_, users, _| {
        let told = || {
            users
                .get_value_metadata("1")
                .unwrap()
                .unwrap()
                .expiration_time
        };
        users.set("1", 1_u64).unwrap();
        assert_eq!(told(), None);
        for own in [5, u64::MAX] {
            users.entry("1").expiration_from(seconds).set(own).unwrap();
            assert_eq!(told(), Some(seconds(&own)));
        }
    });
}

#[test]
fn of_several_values_each_has_its_own() {
    both("own of several", |board, users, hand| {
        let keys = ["1", "2", "3"];
        let create = |missing: &[&'static str]| {
            let made = missing.iter().map(|key| match *key {
                "3" => ("3", None),
                key => (key, Some(key.parse::<u64>().unwrap() * 100)),
            });
            made.collect::<Vec<_>>()
        };
        let entries = users.entries(&keys);
        let entries = entries.expiration_from(|found: &Option<u64>| seconds(&found.unwrap()));
        let entries = entries.none_expiration_time(5 * SECOND);
        assert_eq!(entries.get_or_create(create).unwrap().len(), 3);
        let fresh = || {
            let found = users.get_multi::<Option<u64>, _>(&keys).unwrap();
            found.iter().map(Option::is_some).collect::<Vec<_>>()
        };
        for (after, expected) in [
            (5, [true, true, true]),
            (94, [true, true, false]),
            (1, [false, true, false]),
            (100, [false, false, false]),
        ] {
            hand.advance(Duration::from_secs(after));
            assert_eq!(fresh(), expected);
            hand.advance(TICK);
        }
        for key in keys {
            board.remove(key);
        }
    });
}

#[test]
fn tasks_store_it_too() {
    for storage in ["objects", "bytes"] {
        let config = RegionConfig::on("users", "memory").argument("storage", storage);
        let (users, hand) = region(config);
        let entry = || users.entry("1").expiration_from(seconds);
        at_once(entry().get_or_create_async(|| async { 5 })).unwrap();
        hand.advance(5 * SECOND + TICK);
        assert!(!is_fresh(&users));
        at_once(entry().set_async(5)).unwrap();
        hand.advance(5 * SECOND + TICK);
        assert!(!is_fresh(&users));
    }
}

/// The outcome of what waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn an_early_refresh_comes_before_its_end() {
    let mut config = RegionConfig::on("users", "memory").expiration_time(3600 * SECOND);
    config.early_refresh = Some(0.8);
    let (users, hand) = region(config);
    let (refreshed, is_refreshed) = mpsc::channel();
    users.set_creation_runner(move |creation| {
        creation.run();
        refreshed.send(()).unwrap();
    });
    let ask = || {
        let entry = users.entry("1").expiration_from(seconds);
        entry.background(|| 10).get_or_create().unwrap()
    };
    assert_eq!(ask().source(), Source::Created);
    hand.advance(8 * SECOND);
    assert_eq!(ask().source(), Source::Fresh);
    assert!(is_refreshed.try_recv().is_err());
    hand.advance(TICK);
    assert_eq!(ask().source(), Source::Fresh);
    is_refreshed.try_recv().unwrap();
    hand.advance(8 * SECOND);
    assert!(is_fresh(&users), "the new one has its time too");
}

#[test]
fn a_value_held_while_the_backend_fails_has_it_too() {
    let board = Board::new("own of a spare");
    for config in [board.objects(), board.bytes()] {
        let mut config = config.expiration_time(60 * SECOND).value_version(3);
        config.bypass_hold = 3600 * SECOND;
        let (users, hand) = region(config);
        for method in ["get", "get_fresh", "set"] {
            board.fault(method, Some(Fault::Fail));
        }
        let entry = || users.entry("1").expiration_from(seconds);
        assert_eq!(
            entry().get_or_create(|| 5).unwrap().source(),
            Source::Created
        );
        hand.advance(5 * SECOND);
        assert_eq!(entry().get_or_create(|| 5).unwrap().source(), Source::Fresh);
        hand.advance(TICK);
        assert_eq!(
            entry().get_or_create(|| 5).unwrap().source(),
            Source::Created
        );
        for method in ["get", "get_fresh", "set"] {
            board.fault(method, None);
        }
    }
}

#[test]
fn tags_go_with_it() {
    both("own with tags", |_, users, hand| {
        let entry = || users.entry("1").tags(["a|b"]).expiration_from(seconds);
        entry().set(100).unwrap();
        hand.advance(100 * SECOND);
        assert!(is_fresh(users));
        let metadata = users.get_value_metadata("1").unwrap().unwrap();
        assert_eq!(metadata.tags, ["a|b"]);
        assert_eq!(metadata.expiration_time, Some(seconds(&100)));
        users.invalidate_tags(["a|b"], Invalidation::Hard).unwrap();
        assert!(!is_fresh(users));
        entry().set(100).unwrap();
        hand.advance(100 * SECOND + TICK);
        assert!(!is_fresh(users));
    });
}
