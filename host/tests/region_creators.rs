//! What becomes of creators: their errors, their panics, their circles, and those who wait for them.

#![forbid(unsafe_code)]

mod region_support;

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use dogpile::{Cached, ErrorKind, Region, RegionConfig, Result, Source};

use region_support::{Board, SECOND, all_misses, builder, memory, region, until, until_waiting};

const CALLERS: usize = 8;

/// What each of eight callers gets: one that creates, by `call`, and seven that have lined up before it goes on. No
/// other test of the process has that key.
fn callers<T: Send>(
    key: &str,
    call: impl Fn(&dyn Fn()) -> Result<Cached<T>> + Sync,
) -> Vec<Result<Cached<T>>>
where
    Cached<T>: Send,
{
    let lined_up = || until_waiting(key, CALLERS - 1);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| call(&lined_up)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    })
}

#[test]
fn what_is_not_to_be_cached_goes_to_all_who_wait_and_is_not_stored() {
    let board = Board::new("should cache");
    let (users, _) = region(board.objects());
    let created = AtomicU32::new(0);
    let got = callers("not cached", |lined_up| {
        let entry = users.entry("not cached").should_cache(|_: &u32| false);
        entry.get_or_create(|| {
            lined_up();
            created.fetch_add(1, Ordering::Relaxed)
        })
    });
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert!(got.iter().all(|value| **value == 0), "{got:?}");
    let waited = got.iter().filter(|value| value.source() == Source::Waited);
    assert_eq!(waited.count(), CALLERS - 1);
    assert_eq!(created.load(Ordering::Relaxed), 1);
    assert!(board.stored("not cached").is_none());
    assert!(!board.calls().contains(&"set not cached".to_owned()));
    let entry = users.entry("not cached").should_cache(|value| *value == 7);
    assert_eq!(*entry.get_or_create(|| 7).unwrap(), 7);
    assert!(board.stored("not cached").is_some());
}

#[test]
fn a_creators_error_goes_to_all_who_wait_and_nothing_is_stored() {
    let board = Board::new("a creator's error");
    let (users, _) = region(board.objects());
    let created = AtomicU32::new(0);
    let got = callers("error", |lined_up| {
        users.try_get_or_create("error", || {
            lined_up();
            created.fetch_add(1, Ordering::Relaxed);
            "forty-two".parse::<i32>()
        })
    });
    assert_eq!(created.load(Ordering::Relaxed), 1);
    for got in got {
        let error = got.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Creator);
        assert_eq!(
            error.creator::<ParseIntError>(),
            "forty-two".parse::<i32>().as_ref().err()
        );
        assert!(error.creator::<std::fmt::Error>().is_none());
        assert!(error.to_string().contains("invalid digit"), "{error}");
    }
    assert!(!board.calls().iter().any(|call| call.starts_with("set")));
    let stats = users.stats();
    assert_eq!((stats.errors, stats.creations), (CALLERS as u64, 0));
    assert_eq!((stats.waits, stats.stale), (0, 0));
    // The next call creates at once.
    let next = users.try_get_or_create("error", || "42".parse::<i32>());
    assert_eq!(*next.unwrap(), 42);
}

#[test]
fn an_error_is_shared_with_callers_who_bring_no_error_of_their_own() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let failing = scope.spawn(|| {
            users.try_get_or_create("no error", || {
                until_waiting("no error", 1);
                Err::<i32, _>(std::io::Error::other("no disk"))
            })
        });
        until(|| users.key_is_locked("no error").unwrap());
        let waited = users.get_or_create("no error", || 1).unwrap_err();
        assert!(waited.creator::<std::io::Error>().is_some());
        assert!(failing.join().unwrap().is_err());
    });
}

#[test]
fn a_text_can_be_a_creators_error() {
    let (users, _) = memory();
    let error = users
        .try_get_or_create("1", || Err::<i32, _>("no row 1"))
        .unwrap_err();
    assert!(error.to_string().contains("no row 1"), "{error}");
}

#[test]
fn a_creators_panic_goes_to_its_caller_and_the_next_who_waits_takes_over() {
    let (users, _) = memory();
    let created = AtomicU32::new(0);
    let outcomes = thread::scope(|scope| {
        let call = || {
            users.get_or_create("panic", || {
                if created.fetch_add(1, Ordering::Relaxed) == 0 {
                    until_waiting("panic", CALLERS - 1);
                    panic!("the first creator falls over");
                }
                7
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect::<Vec<_>>()
    });
    let panics: Vec<_> = outcomes
        .iter()
        .filter_map(|got| got.as_ref().err())
        .collect();
    assert_eq!(panics.len(), 1);
    assert_eq!(
        panics[0].downcast_ref(),
        Some(&"the first creator falls over")
    );
    let got = outcomes.iter().flatten().map(|got| **got.as_ref().unwrap());
    assert_eq!(got.collect::<Vec<_>>(), [7; CALLERS - 1]);
    assert_eq!(created.load(Ordering::Relaxed), 2);
    assert_eq!(users.stats().creations, 1);
    assert!(!users.key_is_locked("panic").unwrap());
}

#[test]
fn after_a_panic_with_nobody_waiting_the_next_call_creates() {
    let (users, _) = memory();
    let create = || -> i32 { panic!("it falls over") };
    let unwound = catch_unwind(AssertUnwindSafe(|| users.get_or_create("1", create)));
    assert!(unwound.is_err());
    let unkept = |_: &i32| panic!("it falls over later");
    let entry = || users.entry("1").should_cache(unkept).get_or_create(|| 1);
    assert!(catch_unwind(AssertUnwindSafe(entry)).is_err());
    assert!(!users.key_is_locked("1").unwrap());
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
}

#[test]
fn a_creator_that_asks_for_its_own_key_gets_an_error() {
    let (users, _) = memory();
    let made = users.get_or_create("own", || {
        let own = users.get_or_create("own", || -> i32 { unreachable!() });
        let error = own.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Circle);
        let text = error.to_string();
        assert!(
            text.contains("`users`") && text.contains("\"own\""),
            "{text}"
        );
        7
    });
    assert_eq!(*made.unwrap(), 7);
    assert_eq!(users.stats().errors, 1);
}

/// How deep it went, creating one key inside the other.
fn down(users: &Region, from: u32) -> u32 {
    let made = users.get_or_create(from.to_string(), || match from {
        0 => 0,
        from => down(users, from - 1) + 1,
    });
    *made.unwrap()
}

#[test]
fn a_creator_may_ask_for_other_keys() {
    let (users, _) = memory();
    for _ in 0..2 {
        assert_eq!(down(&users, 50), 50);
        assert_eq!(users.stats().creations, 51);
    }
}

#[test]
fn of_two_creators_that_wait_for_each_other_over_two_regions_one_gets_an_error() {
    let (builder, _) = builder();
    let host = builder
        .region(RegionConfig::on("users", "memory"))
        .region(RegionConfig::on("orders", "memory"))
        .build()
        .unwrap();
    let [users, orders] = ["users", "orders"].map(|name| host.region(name).unwrap());
    let both_create = Barrier::new(2);
    let circles = AtomicU32::new(0);
    let cross = |own: &Region, other: &Region| {
        let made = own.get_or_create("1", || {
            both_create.wait();
            match other.get_or_create("1", || -> i32 { unreachable!("the other creates it") }) {
                Ok(others) => *others + 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Circle);
                    circles.fetch_add(1, Ordering::Relaxed);
                    0
                }
            }
        });
        *made.unwrap()
    };
    let sum = thread::scope(|scope| {
        let one = scope.spawn(|| cross(&users, &orders));
        let other = scope.spawn(|| cross(&orders, &users));
        one.join().unwrap() + other.join().unwrap()
    });
    assert_eq!((sum, circles.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn who_waits_longer_than_lock_wait_gets_an_error_alone() {
    let config = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
    let (users, _) = region(config.lock_wait(Duration::from_millis(20)));
    let gave_up = Barrier::new(2);
    thread::scope(|scope| {
        let creator = scope.spawn(|| {
            users.get_or_create("1", || {
                gave_up.wait();
                1
            })
        });
        until(|| users.key_is_locked("1").unwrap());
        let error = users
            .get_or_create("1", || -> i32 { unreachable!() })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockWait);
        let text = error.to_string();
        assert!(text.contains("`users`") && text.contains("20ms"), "{text}");
        gave_up.wait();
        assert_eq!(creator.join().unwrap().unwrap().source(), Source::Created);
    });
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    assert_eq!(users.stats().errors, 1);
}

#[test]
fn a_key_is_locked_while_it_is_created_whatever_the_backend_calls_it() {
    let board = Board::new("locked");
    let plain = board.objects();
    let mangled = plain
        .clone()
        .key_mangler("brackets")
        .key_mangler("backwards");
    for config in [plain, mangled.key_prefix("app:")] {
        let (users, _) = region(config);
        assert!(!users.key_is_locked("1").unwrap());
        users
            .get_or_create("1", || {
                assert!(users.key_is_locked("1").unwrap());
                assert!(!users.key_is_locked("2").unwrap());
            })
            .unwrap();
        assert!(!users.key_is_locked("1").unwrap());
    }
    assert_eq!(all_misses(&region(board.bytes()).0), []);
}

#[test]
fn a_key_is_locked_while_another_process_creates_it() {
    let board = Board::new("locked elsewhere");
    let (users, _) = region(board.objects().key_prefix("app:"));
    board.lock_key("app:1");
    assert!(users.key_is_locked("1").unwrap());
    assert!(!users.key_is_locked("2").unwrap());
}
