//! What a call of a region reads and stores, and how long a value is served.

#![forbid(unsafe_code)]

mod region_support;

use std::thread;
use std::time::Duration;

use dogpile::{Expiration, Invalidation, MaxStale, MissReason, Source};

use region_support::{
    Board, SECOND, TICK, after, all_misses, beside_a_creation, held, memory, region, until_waiting,
};

#[test]
fn a_fresh_hit_is_one_get_and_no_set() {
    let board = Board::new("a fresh hit");
    let (users, _) = region(board.objects().expiration_time(60 * SECOND));
    users.set("1", 1).unwrap();
    board.calls();
    let hit = users.get_or_create("1", || -> i32 { unreachable!("it is there") });
    assert_eq!(hit.unwrap().source(), Source::Fresh);
    assert_eq!(board.calls(), ["get 1"]);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    assert_eq!(board.calls(), ["get 1"]);
    assert_eq!(users.stats().hits, 2);
}

#[test]
fn a_miss_is_two_reads_and_one_set() {
    let board = Board::new("a miss");
    let (users, _) = region(board.objects());
    let made = users.get_or_create("1", || 1).unwrap();
    assert_eq!((*made, made.source()), (1, Source::Created));
    assert_eq!(board.calls(), ["open", "get 1", "get_fresh 1", "set 1"]);
    assert_eq!(users.get::<i32>("2").unwrap().as_deref(), None);
    assert_eq!(board.calls(), ["get 2"]);
    assert_eq!(all_misses(&users), [(MissReason::Absent, 2)]);
    assert_eq!(users.stats().creations, 1);
}

/// It waits for a creation from before an invalidation, which is none of its own.
#[test]
fn a_call_that_reads_again_is_counted_once() {
    let (users, _) = memory();
    for key in ["again", "again as a task"] {
        thread::scope(|scope| {
            let outdated = held(scope, |hold| {
                users.get_or_create(key, || {
                    hold.wait();
                    1
                })
            });
            users.invalidate(Invalidation::Hard).unwrap();
            let call = scope.spawn(|| {
                if key == "again" {
                    return users.get_or_create(key, || 2);
                }
                futures_executor::block_on(users.get_or_create_async(key, || async { 2 }))
            });
            until_waiting(key, 1);
            assert_eq!(*outdated.end().unwrap(), 1);
            assert_eq!(*call.join().unwrap().unwrap(), 2);
        });
    }
    let stats = users.stats();
    assert_eq!(all_misses(&users), [(MissReason::Absent, 4)]);
    assert_eq!((stats.hits, stats.creations, stats.waits), (0, 4, 0));
}

#[test]
fn a_set_and_a_delete_are_one_call_each() {
    let board = Board::new("set and delete");
    let (users, _) = region(board.objects());
    let set = users.set("1", String::from("Ada")).unwrap();
    assert_eq!((&**set, set.source()), ("Ada", Source::Created));
    users.delete("1").unwrap();
    users.delete("1").unwrap();
    assert_eq!(users.get::<String>("1").unwrap().as_deref(), None);
    assert_eq!(
        board.calls(),
        ["open", "set 1", "delete 1", "delete 1", "get 1"]
    );
}

#[test]
fn a_value_is_fresh_at_its_expiration_time_and_not_after() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    hand.advance(60 * SECOND);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    hand.advance(TICK);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), None);
    let made = users.get_or_create("1", || 2).unwrap();
    assert_eq!((*made, made.source()), (2, Source::Created));
    assert_eq!(all_misses(&users), [(MissReason::Expired, 2)]);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&2));
}

#[test]
fn a_value_without_expiration_time_never_expires() {
    let board = Board::new("never");
    let (users, hand) = region(board.objects());
    users.set("1", 1).unwrap();
    hand.advance(SECOND * u32::MAX);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn an_expired_value_is_served_while_another_caller_creates() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    hand.advance(60 * SECOND + TICK);
    let made = users.get_or_create("1", || {
        let other = thread::scope(|scope| {
            let users = &users;
            let other = scope.spawn(|| users.get_or_create("1", || -> i32 { unreachable!() }));
            other.join().unwrap().unwrap()
        });
        assert_eq!((*other, other.source()), (1, Source::Stale));
        assert!(users.get::<i32>("1").unwrap().is_none());
        2
    });
    assert_eq!(*made.unwrap(), 2);
    let stats = users.stats();
    assert_eq!((stats.stale, stats.creations, stats.waits), (1, 1, 0));
    assert_eq!(all_misses(&users), [(MissReason::Expired, 3)]);
}

#[test]
fn a_creator_has_its_own_stale_value() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    hand.advance(60 * SECOND + TICK);
    let made = users.get_or_create("1", || {
        *users
            .get_or_create("1", || -> i32 { unreachable!() })
            .unwrap()
            + 1
    });
    assert_eq!(*made.unwrap(), 2);
}

#[test]
fn a_value_too_stale_is_waited_for() {
    let (users, hand) = memory();
    users.set("edge", 1).unwrap();
    users.set("too stale", 1).unwrap();
    hand.advance(120 * SECOND);
    assert_eq!(beside_a_creation(&users, "edge", false), (1, Source::Stale));
    hand.advance(TICK);
    let waited = beside_a_creation(&users, "too stale", true);
    assert_eq!(waited, (2, Source::Waited));
    assert_eq!(users.stats().waits, 1);
}

#[test]
fn max_stale_bounds_what_is_served_stale() {
    let board = Board::new("max stale");
    let strict = board.objects().expiration_time(60 * SECOND);
    let (users, hand) = region(strict.clone().max_stale(MaxStale::For(Duration::ZERO)));
    users.set("hard limit", 1).unwrap();
    hand.advance(60 * SECOND + TICK);
    let waited = beside_a_creation(&users, "hard limit", true);
    assert_eq!(waited, (2, Source::Waited));

    let (users, hand) = region(strict.max_stale(MaxStale::Forever));
    users.set("for ever", 1).unwrap();
    hand.advance(SECOND * u32::MAX);
    let served = beside_a_creation(&users, "for ever", false);
    assert_eq!(served, (1, Source::Stale));
}

#[test]
fn a_call_can_have_an_expiration_time_of_its_own() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    hand.advance(30 * SECOND);
    let shorter = users.entry("1").expiration_time(29 * SECOND);
    assert!(shorter.get::<i32>().unwrap().is_none());
    hand.advance(60 * SECOND);
    assert!(users.get::<i32>("1").unwrap().is_none());
    let longer = users.entry("1").expiration_time(90 * SECOND);
    assert_eq!(longer.get::<i32>().unwrap().as_deref(), Some(&1));
    hand.advance(60 * SECOND);
    let never = users.entry("1").expiration_time(Expiration::Never);
    assert_eq!(*never.get_or_create(|| 2).unwrap(), 1);
    let shorter = users.entry("1").expiration_time(149 * SECOND);
    assert_eq!(*shorter.get_or_create(|| 3).unwrap(), 3);
}

#[test]
fn a_calls_expiration_time_is_not_stored() {
    let (users, hand) = memory();
    let entry = |time| users.entry("1").expiration_time(time);
    entry(SECOND).set(1).unwrap();
    hand.advance(10 * SECOND);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    entry(3600 * SECOND).set(2).unwrap();
    hand.advance(60 * SECOND + TICK);
    assert!(users.get::<i32>("1").unwrap().is_none());
}

#[test]
fn every_value_says_until_when_anybody_may_want_it() {
    let board = Board::new("keep until");
    let nanoseconds = |seconds: u64| (region_support::START + seconds) * 1_000_000_000;
    for config in [board.objects(), board.bytes()] {
        let (users, _) = region(config.clone().expiration_time(60 * SECOND));
        let kept = |key| board.stored(key).unwrap().keep_until();
        users.set("set", 1).unwrap();
        users.get_or_create("created", || 1).unwrap();
        assert_eq!(
            (kept("set"), kept("created")),
            (nanoseconds(120), nanoseconds(120))
        );
        users
            .entry("own")
            .expiration_time(5 * SECOND)
            .set(1)
            .unwrap();
        assert_eq!(kept("own"), nanoseconds(65));
        users
            .entry("own")
            .expiration_time(Expiration::Never)
            .set(1)
            .unwrap();
        assert_eq!(kept("own"), 0);

        let short = config.expiration_time(60 * SECOND);
        let (users, _) = region(short.max_stale(MaxStale::For(10 * SECOND)));
        users.set("short", 1).unwrap();
        assert_eq!(kept("short"), nanoseconds(70));
    }
    let forever = board.objects().expiration_time(60 * SECOND);
    for config in [board.bytes(), forever.max_stale(MaxStale::Forever)] {
        let (users, _) = region(config);
        users.set("for ever", 1).unwrap();
        assert_eq!(board.stored("for ever").unwrap().keep_until(), 0);
    }
}

#[test]
fn metadata_is_given_of_what_is_stored_fresh_or_not() {
    let board = Board::new("metadata");
    for config in [board.objects(), board.bytes().value_version(3)] {
        let version = config.value_version;
        let (users, hand) = region(config.expiration_time(60 * SECOND));
        assert_eq!(users.get_value_metadata("new").unwrap(), None);
        let create = || hand.advance(2 * SECOND);
        users.get_or_create("1", create).unwrap();
        hand.advance(70 * SECOND);
        let metadata = users.get_value_metadata("1").unwrap().unwrap();
        assert_eq!(metadata.started_time, after(0));
        assert_eq!(metadata.cached_time, after(2));
        assert_eq!(metadata.age, 70 * SECOND);
        assert_eq!(metadata.keep_until, Some(after(122)));
        assert_eq!(metadata.value_version, version);
        board.calls();
        users.get_value_metadata("1").unwrap();
        assert_eq!(board.calls(), ["get 1"]);
        users.delete("1").unwrap();
    }
}
