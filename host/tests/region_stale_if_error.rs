//! Stale values in place of errors: for how long, and when a creation that failed is tried again.

#![forbid(unsafe_code)]

mod region_support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use dogpile::{
    Cached, ErrorKind, Invalidation, ManualClock, MaxStale, Region, RegionConfig, Result, Source,
};

use region_support::{Board, Fault, SECOND, START, TICK, misses, region, until_waiting};

/// Values expire after 60 s, are never served while others are created, and stand in for errors 100 s longer. What failed
/// is tried again after 10 s.
fn config(base: RegionConfig) -> RegionConfig {
    base.expiration_time(60 * SECOND)
        .max_stale(MaxStale::For(Duration::ZERO))
        .stale_if_error(100 * SECOND, 10 * SECOND)
}

fn memory() -> (Region, ManualClock) {
    region(config(RegionConfig::on("users", "memory")))
}

/// The ways to call for a value whose creator fails; each counts when it is called.
type Call = fn(&Region, &AtomicU32) -> Result<Cached<i32>>;

fn blocking(users: &Region, calls: &AtomicU32) -> Result<Cached<i32>> {
    users.try_get_or_create("1", || {
        calls.fetch_add(1, Ordering::SeqCst);
        Err::<i32, _>("no row")
    })
}

fn task(users: &Region, calls: &AtomicU32) -> Result<Cached<i32>> {
    let create = || async {
        calls.fetch_add(1, Ordering::SeqCst);
        Err::<i32, _>("no row")
    };
    futures_executor::block_on(users.try_get_or_create_async("1", create))
}

fn several(users: &Region, calls: &AtomicU32) -> Result<Cached<i32>> {
    let got = users.try_get_or_create_multi(&["1"], |_| {
        calls.fetch_add(1, Ordering::SeqCst);
        Err::<Vec<(&str, i32)>, _>("no row")
    });
    Ok(got?.remove(0).expect("it is not left out"))
}

/// Runs the test for each kind of call on each kind of backend.
fn each(name: &str, test: impl Fn(&Region, &ManualClock, &dyn Fn() -> (Result<Cached<i32>>, u32))) {
    let ways: [(&str, Call); 3] = [("blocking", blocking), ("task", task), ("several", several)];
    for (way, call) in ways {
        for bytes in [false, true] {
            let board = Board::new(&format!("{name} {way} {bytes}"));
            let base = if bytes {
                board.bytes()
            } else {
                board.objects()
            };
            let (users, hand) = region(config(base));
            test(&users, &hand, &|| {
                let calls = AtomicU32::new(0);
                let got = call(&users, &calls);
                (got, calls.into_inner())
            });
        }
    }
}

fn assert_stale((got, calls): (Result<Cached<i32>>, u32), expected: u32) {
    let got = got.unwrap();
    assert_eq!((*got, got.source(), calls), (1, Source::Stale, expected));
}

fn assert_fails((got, calls): (Result<Cached<i32>>, u32)) {
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Creator);
    assert_eq!(calls, 1);
}

#[test]
fn a_creation_that_failed_is_left_alone_until_its_time_has_come() {
    each("left alone", |users, hand, call| {
        users.set("1", 1).unwrap();
        hand.advance(60 * SECOND + TICK);
        for _ in 0..3 {
            assert_stale(call(), 1);
            for _ in 0..5 {
                assert_stale(call(), 0);
            }
            hand.advance((10 * SECOND).saturating_sub(TICK));
            assert_stale(call(), 0);
            hand.advance(TICK);
        }
        assert_eq!(users.stats().stale, 21);
        assert_eq!((users.stats().creations, users.stats().errors), (0, 0));
    });
}

#[test]
fn a_clock_that_is_set_back_does_not_leave_a_failure_alone_for_longer() {
    each("set back", |users, hand, call| {
        users.set("1", 1).unwrap();
        hand.advance(100 * SECOND);
        assert_stale(call(), 1);
        // The value is still expired then.
        hand.set((START + 70) * 1_000_000_000);
        hand.advance((10 * SECOND).saturating_sub(TICK));
        assert_stale(call(), 0);
        hand.advance(TICK);
        assert_stale(call(), 1);
    });
}

#[test]
fn a_stale_value_stands_in_to_the_last_moment_and_no_longer() {
    each("last moment", |users, hand, call| {
        users.set("1", 1).unwrap();
        hand.advance(160 * SECOND);
        assert_stale(call(), 1);
        hand.advance(TICK);
        // It may not be served any more, so that what failed lately is no reason to wait.
        assert_fails(call());
        assert_fails(call());
    });
}

#[test]
fn without_a_value_every_call_creates() {
    each("no value", |users, _, call| {
        assert_fails(call());
        assert_fails(call());
        assert_eq!(users.stats().errors, 2);
    });
}

#[test]
fn a_value_invalidated_hard_stands_in_for_nothing_and_one_invalidated_soft_does() {
    each("invalidated", |users, hand, call| {
        users.set("1", 1).unwrap();
        users.invalidate(Invalidation::Soft).unwrap();
        assert_stale(call(), 1);
        assert_stale(call(), 0);
        users.invalidate(Invalidation::Hard).unwrap();
        assert_fails(call());
        hand.advance(10 * SECOND);
        assert_fails(call());
    });
}

#[test]
fn a_creation_that_succeeds_ends_the_time_of_the_failure() {
    each("succeeds", |users, hand, call| {
        users.set("1", 1).unwrap();
        hand.advance(61 * SECOND);
        assert_stale(call(), 1);
        hand.advance(10 * SECOND);
        assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
        // Stale once more within what would be the time after a failure now.
        users.invalidate(Invalidation::Soft).unwrap();
        assert_stale(call(), 1);
        // A refresh asks nobody.
        assert_eq!(users.refresh("1", || 1).unwrap().source(), Source::Created);
        users.invalidate(Invalidation::Soft).unwrap();
        assert_stale(call(), 1);
    });
}

#[test]
fn a_failure_concerns_its_key_alone() {
    let (users, hand) = memory();
    users.set_multi([("1", 1), ("2", 2)]).unwrap();
    hand.advance(61 * SECOND);
    assert_stale((blocking(&users, &AtomicU32::new(0)), 0), 0);
    let other = users.get_or_create("2", || 3).unwrap();
    assert_eq!((*other, other.source()), (3, Source::Created));
}

#[test]
fn all_who_wait_for_a_creation_that_fails_get_their_stale_values() {
    let (users, hand) = memory();
    users.set("fails", 1).unwrap();
    hand.advance(61 * SECOND);
    let calls = AtomicU32::new(0);
    thread::scope(|scope| {
        let call = || {
            let create = || {
                calls.fetch_add(1, Ordering::SeqCst);
                until_waiting("fails", 4);
                Err::<i32, _>("no row")
            };
            users.try_get_or_create("fails", create).unwrap()
        };
        let callers: Vec<_> = (0..5).map(|_| scope.spawn(call)).collect();
        for caller in callers {
            let got = caller.join().unwrap();
            assert_eq!((*got, got.source()), (1, Source::Stale));
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!((users.stats().stale, users.stats().waits), (5, 0));
}

/// Without a stale value: dogpile.cache has each of them try, one after the other.
#[test]
fn five_threads_share_one_error_and_the_next_call_creates_at_once() {
    let (users, _) = memory();
    let calls = AtomicU32::new(0);
    thread::scope(|scope| {
        let call = || {
            let create = || {
                calls.fetch_add(1, Ordering::SeqCst);
                until_waiting("n4", 4);
                "forty-two".parse::<i32>()
            };
            users.try_get_or_create("n4", create).unwrap_err()
        };
        let callers: Vec<_> = (0..5).map(|_| scope.spawn(call)).collect();
        for caller in callers {
            let error = caller.join().unwrap();
            assert!(error.creator::<std::num::ParseIntError>().is_some());
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(*users.get_or_create("n4", || 7).unwrap(), 7);
}

#[test]
fn a_panic_is_no_failure_that_a_value_stands_in_for() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    for _ in 0..2 {
        let falls = || users.get_or_create("1", || -> i32 { panic!("it falls over") });
        assert!(catch_unwind(AssertUnwindSafe(falls)).is_err());
    }
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
}

#[test]
fn a_refresh_that_fails_says_so_and_leaves_what_is_there() {
    let (users, hand) = memory();
    users.set("1", 1).unwrap();
    let refresh = || users.try_refresh("1", || Err::<i32, _>("no row"));
    assert_eq!(refresh().unwrap_err().kind(), ErrorKind::Creator);
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 1);
    hand.advance(61 * SECOND);
    assert_eq!(refresh().unwrap_err().kind(), ErrorKind::Creator);
    // It has failed just now: who can be served the stale value is.
    let calls = AtomicU32::new(0);
    assert_stale((blocking(&users, &calls), calls.into_inner()), 0);
}

#[test]
fn where_stale_values_are_served_meanwhile_a_failure_is_left_alone_too() {
    let base = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
    let (users, hand) = region(base.stale_if_error(100 * SECOND, 10 * SECOND));
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    let calls = AtomicU32::new(0);
    for _ in 0..5 {
        assert_eq!(blocking(&users, &calls).unwrap().source(), Source::Stale);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(misses(&users, dogpile::MissReason::Expired), 5);
}

#[test]
fn of_several_keys_one_without_a_value_fails_the_call_and_the_others_are_left_alone() {
    let (users, hand) = memory();
    users.set("a", 1).unwrap();
    hand.advance(61 * SECOND);
    let asked = Cell::new(Vec::new());
    let call = |keys: &[&'static str]| {
        users.try_get_or_create_multi(keys, |missing| {
            asked.set(missing.to_vec());
            Err::<Vec<(&str, i32)>, _>("no rows")
        })
    };
    assert_eq!(call(&["a", "b"]).unwrap_err().kind(), ErrorKind::Creator);
    assert_eq!(asked.take(), ["a", "b"]);
    let got = call(&["a"]).unwrap().remove(0).unwrap();
    assert_eq!((*got, got.source()), (1, Source::Stale));
    assert!(call(&["a", "b"]).is_err());
    assert_eq!(asked.take(), ["b"]);
}

#[test]
fn without_stale_if_error_nothing_stands_in() {
    let base = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
    let (users, hand) = region(base.stale_if_error(Duration::ZERO, 10 * SECOND));
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    let calls = AtomicU32::new(0);
    for _ in 0..2 {
        assert_eq!(
            blocking(&users, &calls).unwrap_err().kind(),
            ErrorKind::Creator
        );
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_second_read_that_fails_leaves_the_stale_value_that_the_first_one_gave() {
    let board = Board::new("second read fails");
    let config = board.objects().expiration_time(60 * SECOND);
    let config = config.max_stale(MaxStale::For(Duration::ZERO));
    let (users, hand) = region(config.stale_if_error(600 * SECOND, SECOND));
    users.set_multi([("a", 1), ("b", 1)]).unwrap();
    hand.advance(61 * SECOND);
    board.fault("get_fresh", Some(Fault::Fail));
    let got = users.try_get_or_create("a", || Err::<i32, _>("no row"));
    let got = got.unwrap();
    assert_eq!((*got, got.source()), (1, Source::Stale));
    let all = users.try_get_or_create_multi(&["b"], |_| Err::<[(&str, i32); 0], _>("no row"));
    let got = all.unwrap().remove(0).unwrap();
    assert_eq!((*got, got.source()), (1, Source::Stale));
}
