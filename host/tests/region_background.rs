//! Creations that nobody waits for: on the host's pool, once each, ahead of the expiry or after it.

#![forbid(unsafe_code)]

mod region_support;

use std::collections::BTreeSet;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use dogpile::{MaxStale, Region, RegionConfig, Source};

use region_support::{Board, SECOND, TICK, builder, memory, region, until, until_refreshed};

fn minute() -> RegionConfig {
    RegionConfig::on("users", "memory").expiration_time(60 * SECOND)
}

/// A call with a background creator, which tells the name of its thread.
fn call(users: &Region, key: &str, value: i32, threads: &Arc<Mutex<Vec<String>>>) -> (i32, Source) {
    let threads = Arc::clone(threads);
    let create = move || {
        let name = thread::current().name().unwrap_or_default().to_owned();
        threads.lock().unwrap().push(name);
        value
    };
    let got = users.entry(key).background(create).get_or_create().unwrap();
    (*got, got.source())
}

#[test]
fn a_stale_value_is_served_at_once_and_created_anew_on_the_pool() {
    for config in [
        minute(),
        minute().argument("storage", "bytes"),
        Board::new("background")
            .bytes()
            .expiration_time(60 * SECOND),
    ] {
        let (users, hand) = region(config.background_refresh());
        let threads = Arc::new(Mutex::new(Vec::new()));
        // There is nothing to serve meanwhile: the caller creates itself.
        assert_eq!(call(&users, "1", 1, &threads), (1, Source::Created));
        let own = thread::current().name().unwrap().to_owned();
        assert_eq!(*threads.lock().unwrap(), [own.as_str()]);
        hand.advance(60 * SECOND);
        assert_eq!(call(&users, "1", 2, &threads), (1, Source::Fresh));
        hand.advance(TICK);
        assert_eq!(call(&users, "1", 2, &threads), (1, Source::Stale));
        until_refreshed(&users, "1");
        assert_eq!(*threads.lock().unwrap(), [own.as_str(), "dogpile-refresh"]);
        assert_eq!(call(&users, "1", 3, &threads), (2, Source::Fresh));
        // Too stale to be served: the caller creates itself.
        hand.advance(120 * SECOND + TICK);
        assert_eq!(call(&users, "1", 4, &threads), (4, Source::Created));
        assert_eq!(threads.lock().unwrap().len(), 3);
        assert_eq!(users.stats().creations, 3);
    }
}

#[test]
fn without_background_refresh_a_background_creator_is_run_by_who_has_the_lock() {
    let (users, hand) = memory();
    let threads = Arc::new(Mutex::new(Vec::new()));
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    assert_eq!(call(&users, "1", 2, &threads), (2, Source::Created));
    assert_ne!(threads.lock().unwrap()[0], "dogpile-refresh");
}

#[test]
fn a_plain_creator_stays_on_its_callers_thread() {
    let (users, hand) = region(minute().background_refresh().early_refresh(0.1));
    users.set_creation_runner(|_| panic!("it is not for plain creators"));
    users.set("1", 1).unwrap();
    for seconds in [30, 61] {
        hand.advance(seconds * SECOND);
        // Neither `Send` nor `'static`.
        let ran_on = std::rc::Rc::new(std::cell::Cell::new(None));
        let create = || {
            ran_on.set(Some(thread::current().id()));
            2
        };
        let got = users.get_or_create("1", create).unwrap();
        if seconds == 30 {
            assert_eq!((got.source(), ran_on.get()), (Source::Fresh, None));
        } else {
            assert_eq!(got.source(), Source::Created);
            assert_eq!(ran_on.get(), Some(thread::current().id()));
        }
    }
}

/// Eight threads at once, after the clock has gone on, and as often as said. Each counts what it creates.
fn rounds(
    users: &Region,
    hand: &dogpile::ManualClock,
    (rounds, seconds): (u32, u32),
    created: &Arc<AtomicU32>,
    check: impl Fn(Source) + Sync,
) {
    for _ in 0..rounds {
        hand.advance(seconds * SECOND);
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..3 {
                        let created = Arc::clone(created);
                        let create = move || created.fetch_add(1, Ordering::SeqCst) + 1;
                        let got = users.entry("1").background(create).get_or_create();
                        check(got.unwrap().source());
                    }
                });
            }
        });
        until_refreshed(users, "1");
    }
}

#[test]
fn of_many_callers_one_has_the_value_created_in_the_background_at_each_expiry() {
    let (users, hand) = region(minute().background_refresh());
    let created = Arc::new(AtomicU32::new(0));
    users.set("1", 0_u32).unwrap();
    rounds(&users, &hand, (200, 61), &created, |source| {
        assert!(
            matches!(source, Source::Stale | Source::Fresh),
            "{source:?}"
        );
    });
    assert_eq!(created.load(Ordering::SeqCst), 200);
    assert_eq!(users.stats().creations, 200);
}

#[test]
fn with_early_refresh_nobody_sees_a_stale_value_and_each_is_created_once() {
    let (users, hand) = region(minute().early_refresh(0.5));
    let created = Arc::new(AtomicU32::new(0));
    users.set("1", 0_u32).unwrap();
    rounds(&users, &hand, (200, 31), &created, |source| {
        assert_eq!(source, Source::Fresh);
    });
    assert_eq!(created.load(Ordering::SeqCst), 200);
    assert_eq!(*users.get::<u32>("1").unwrap().unwrap(), 200);
    assert_eq!((users.stats().stale, users.stats().waits), (0, 0));
}

#[test]
fn a_value_is_refreshed_early_when_that_share_of_its_time_has_passed() {
    let (users, hand) = region(minute().early_refresh(0.75));
    let threads = Arc::new(Mutex::new(Vec::new()));
    users.set("1", 1).unwrap();
    hand.advance(45 * SECOND);
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Fresh));
    assert!(!users.key_is_locked("1").unwrap());
    hand.advance(TICK);
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Fresh));
    until_refreshed(&users, "1");
    assert_eq!(call(&users, "1", 3, &threads), (2, Source::Fresh));
    assert_eq!(*threads.lock().unwrap(), ["dogpile-refresh"]);
    // By the call's own expiration time, if it has one.
    let own = |time| {
        let entry = users.entry("1").expiration_time(time);
        *entry.background(|| 5).get_or_create().unwrap()
    };
    hand.advance(40 * SECOND);
    assert_eq!(own(60 * SECOND), 2);
    assert!(!users.key_is_locked("1").unwrap());
    assert_eq!(own(50 * SECOND), 2);
    until_refreshed(&users, "1");
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 5);
}

#[test]
fn a_value_that_never_expires_is_never_refreshed_early() {
    let config = RegionConfig::on("users", "memory").early_refresh(0.0);
    let (users, hand) = region(config);
    users.set("1", 1).unwrap();
    hand.advance(1_000_000 * SECOND);
    let create = || -> i32 { unreachable!("it is fresh for ever") };
    assert_eq!(
        *users.entry("1").background(create).get_or_create().unwrap(),
        1
    );
    assert!(!users.key_is_locked("1").unwrap());
}

#[test]
fn an_early_refresh_that_fails_or_falls_over_leaves_the_value_and_the_key() {
    let (users, hand) = region(minute().early_refresh(0.5));
    users.set("1", 1).unwrap();
    hand.advance(35 * SECOND);
    let failed = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&failed);
    let create = move || {
        tell.store(true, Ordering::SeqCst);
        Err::<i32, _>("no row")
    };
    let got = users.entry("1").background(create).try_get_or_create();
    assert_eq!(*got.unwrap(), 1);
    until(|| failed.load(Ordering::SeqCst));
    until_refreshed(&users, "1");
    hand.advance(SECOND);
    let falls = || -> i32 { panic!("it falls over") };
    assert_eq!(
        *users.entry("1").background(falls).get_or_create().unwrap(),
        1
    );
    until_refreshed(&users, "1");
    hand.advance(SECOND);
    assert_eq!(
        *users.entry("1").background(|| 2).get_or_create().unwrap(),
        1
    );
    until_refreshed(&users, "1");
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 2);
}

/// How a creation comes to nothing.
fn come_to_nothing(falls: bool) -> Result<i32, &'static str> {
    assert!(!falls, "it falls over");
    Err("no row")
}

fn left_alone(falls: bool) {
    // Also where no stale value stands in for a failure: whoever asks has one to be served meanwhile.
    let mut retried = minute();
    retried.retry_after = 10 * SECOND;
    let early = retried.clone().early_refresh(0.5);
    let stale = retried.clone().background_refresh();
    let either = minute().stale_if_error(60 * SECOND, 10 * SECOND);
    let cases = [
        (either.background_refresh(), 61, Source::Stale),
        (stale, 61, Source::Stale),
        (early, 31, Source::Fresh),
    ];
    for (config, age, source) in cases {
        let (users, hand) = region(config);
        users.set("1", 1).unwrap();
        hand.advance(age * SECOND);
        let calls = Arc::new(AtomicU32::new(0));
        let call = || {
            let calls = Arc::clone(&calls);
            let create = move || {
                calls.fetch_add(1, Ordering::SeqCst);
                come_to_nothing(falls)
            };
            let got = users.entry("1").background(create).try_get_or_create();
            assert_eq!(got.unwrap().source(), source);
            until_refreshed(&users, "1");
        };
        for failures in 1..=2 {
            (0..5).for_each(|_| call());
            assert_eq!(calls.load(Ordering::SeqCst), failures);
            hand.advance((10 * SECOND).saturating_sub(TICK));
            call();
            assert_eq!(calls.load(Ordering::SeqCst), failures);
            // They are counted once the key is free.
            until(|| users.stats().errors >= u64::from(failures));
            assert_eq!(users.stats().errors, u64::from(failures));
            hand.advance(TICK);
        }
    }
}

#[test]
fn a_creation_that_failed_in_the_background_is_left_alone_like_any() {
    left_alone(false);
}

#[test]
fn a_creation_that_fell_over_in_the_background_is_left_alone_like_one_that_failed() {
    left_alone(true);
}

#[test]
fn tasks_in_the_background_that_come_to_nothing_are_left_alone() {
    for (falls, early) in [(false, false), (true, false), (false, true), (true, true)] {
        let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
        let spawned = Arc::clone(&tasks);
        let mut config = minute();
        config.retry_after = 10 * SECOND;
        let (config, age, source) = if early {
            (config.early_refresh(0.5), 31, Source::Fresh)
        } else {
            (config.background_refresh(), 61, Source::Stale)
        };
        let (builder, hand) = builder();
        let builder = builder.spawner(move |task| spawned.lock().unwrap().push(task));
        let host = builder.region(config).build().unwrap();
        let users = host.region("users").unwrap();
        users.set("1", 1).unwrap();
        hand.advance(age * SECOND);
        let call = || {
            let create = move || async move { come_to_nothing(falls) };
            let entry = users.entry("1").background_async(create);
            let got = futures_executor::block_on(entry.try_get_or_create()).unwrap();
            assert_eq!(got.source(), source);
            tasks.lock().unwrap().pop()
        };
        for failures in 1..=2 {
            let task = AssertUnwindSafe(call().expect("it is due"));
            let run = || futures_executor::block_on(task);
            // A panic is the runtime's as well.
            assert_eq!(catch_unwind(AssertUnwindSafe(run)).is_err(), falls);
            assert_eq!(users.stats().errors, failures);
            hand.advance((10 * SECOND).saturating_sub(TICK));
            assert!(call().is_none());
            hand.advance(TICK);
        }
    }
}

/// Eight threads and 1,024 places before them.
#[test]
fn a_full_queue_leaves_the_stale_value_and_is_counted() {
    const FIT: u32 = 8 + 1_024;
    let (users, hand) = region(minute().background_refresh());
    users
        .set_multi((0..FIT + 2).map(|key| (key.to_string(), 0)))
        .unwrap();
    hand.advance(61 * SECOND);
    let (at_work, open) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let call = |key: u32| {
        let (at_work, open) = (Arc::clone(&at_work), Arc::clone(&open));
        let create = move || {
            at_work.fetch_add(1, Ordering::SeqCst);
            until(|| open.load(Ordering::SeqCst));
            1
        };
        let got = users
            .entry(&key.to_string())
            .background(create)
            .get_or_create();
        assert_eq!(got.unwrap().source(), Source::Stale);
    };
    (0..8).for_each(call);
    until(|| at_work.load(Ordering::SeqCst) == 8);
    (8..FIT).for_each(call);
    assert_eq!(users.stats().refused_refreshes, 0);
    (FIT..FIT + 2).for_each(call);
    assert_eq!(users.stats().refused_refreshes, 2);
    assert!(!users.key_is_locked(FIT.to_string()).unwrap());
    assert!(users.key_is_locked((FIT - 1).to_string()).unwrap());
    open.store(true, Ordering::SeqCst);
    (0..FIT).for_each(|key| until_refreshed(&users, &key.to_string()));
    assert_eq!(users.stats().creations, u64::from(FIT));
    call(FIT);
    until_refreshed(&users, &FIT.to_string());
    assert_eq!(users.stats().creations, u64::from(FIT) + 1);
}

#[test]
fn what_is_not_to_be_cached_is_not_stored_from_the_background_either() {
    let board = Board::new("background unkept");
    let config = board.objects().expiration_time(60 * SECOND);
    let (users, hand) = region(config.background_refresh());
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    board.calls();
    let entry = users.entry("1").should_cache(|value: &i32| *value != 2);
    assert_eq!(*entry.background(|| 2).get_or_create().unwrap(), 1);
    until_refreshed(&users, "1");
    assert!(!board.calls().contains(&"set 1".to_owned()));
}

#[test]
fn a_creation_in_the_background_waits_for_another_process_like_any() {
    let board = Board::new("background elsewhere");
    let config = board.bytes().expiration_time(60 * SECOND);
    let (users, hand) = region(config.background_refresh());
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    board.lock_key("1");
    let create = || -> i32 { unreachable!("another process creates it") };
    for _ in 0..10 {
        let got = users.entry("1").background(create).get_or_create().unwrap();
        assert_eq!(got.source(), Source::Stale);
    }
    until(|| board.mutex_calls_of("try_acquire") > 0);
    for _ in 0..10 {
        let got = users.entry("1").background(create).get_or_create().unwrap();
        assert_eq!(got.source(), Source::Stale);
    }
    // While another process is known to create, stale callers do not ask again.
    assert_eq!(board.mutex_calls_of("try_acquire"), 1);
    board.unlock_key("1");
    until_refreshed(&users, "1");
    let got = users.entry("1").background(|| 2).get_or_create().unwrap();
    assert_eq!(got.source(), Source::Stale);
    until_refreshed(&users, "1");
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 2);
}

#[test]
fn with_jitter_what_was_created_together_expires_apart_and_never_late() {
    const KEYS: u32 = 200;
    for config in [minute(), minute().argument("storage", "bytes")] {
        let config = config.jitter(0.5).max_stale(MaxStale::For(Duration::ZERO));
        let (users, hand) = region(config);
        let keys: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
        users.set_multi(keys.iter().map(|key| (key, 1))).unwrap();
        let fresh = || {
            let got = users.get_multi::<i32, _>(&keys).unwrap();
            let fresh = keys.iter().zip(got).filter(|(_, value)| value.is_some());
            fresh.map(|(key, _)| key.clone()).collect::<BTreeSet<_>>()
        };
        hand.advance(30 * SECOND);
        assert_eq!(fresh().len(), keys.len(), "none expires before its half");
        let mut left = fresh();
        let mut expired = Vec::new();
        for _ in 0..30 {
            hand.advance(SECOND);
            let now = fresh();
            assert!(now.is_subset(&left), "what has expired stays so");
            // One key or several, from memory or asked for alone: the same.
            for key in &keys[..20] {
                assert_eq!(users.get::<i32>(key).unwrap().is_some(), now.contains(key));
                let own = users.entry(key).expiration_time(60 * SECOND);
                assert_eq!(own.get::<i32>().unwrap().is_some(), now.contains(key));
            }
            expired.push(left.len() - now.len());
            left = now;
        }
        hand.advance(TICK);
        assert!(fresh().is_empty(), "none lives longer than without");
        // Evenly: 200 keys over 30 seconds.
        assert!(expired.iter().all(|count| *count < 30), "{expired:?}");
        assert!(
            expired.iter().filter(|count| **count > 0).count() > 20,
            "{expired:?}"
        );
    }
}

#[test]
fn without_a_spawner_and_a_runner_a_task_creates_here() {
    let (users, hand) = region(minute().background_refresh());
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    let entry = users.entry("1").background_async(|| ready(2));
    let got = futures_executor::block_on(entry.get_or_create()).unwrap();
    assert_eq!((*got, got.source()), (2, Source::Created));
}

#[test]
fn with_jitter_a_key_expires_at_another_age_each_time() {
    let (users, hand) = region(minute().jitter(0.5));
    let mut ages = BTreeSet::new();
    for _ in 0..20 {
        users.set("1", 1).unwrap();
        let mut age = 0;
        while users.get::<i32>("1").unwrap().is_some() {
            hand.advance(SECOND);
            age += 1;
        }
        ages.insert(age);
    }
    assert!(ages.len() > 5, "{ages:?}");
}

#[test]
fn early_refreshes_come_before_the_expiry_that_jitter_brings_forward() {
    const KEYS: u32 = 100;
    let config = RegionConfig::on("users", "memory").expiration_time(100 * SECOND);
    let (users, hand) = region(config.early_refresh(0.8).jitter(0.5));
    let keys: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    users.set_multi(keys.iter().map(|key| (key, 1))).unwrap();
    for _ in 0..300 {
        hand.advance(SECOND / 2);
        for key in &keys {
            let got = users.entry(key).background(|| 2).get_or_create().unwrap();
            assert_eq!(got.source(), Source::Fresh);
        }
        for key in &keys {
            until_refreshed(&users, key);
        }
    }
}

#[test]
fn with_early_refresh_what_has_expired_is_created_in_the_background_too() {
    let (users, hand) = region(minute().early_refresh(0.5));
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Stale));
    until_refreshed(&users, "1");
    assert_eq!(*threads.lock().unwrap(), ["dogpile-refresh"]);
}

#[test]
fn a_share_that_is_none_is_refused() {
    let wrong = [-1.0, 1.5, f64::NAN, f64::INFINITY];
    let configs = wrong.map(|share| {
        [
            ("early_refresh", minute().early_refresh(share)),
            ("jitter", minute().jitter(share)),
        ]
    });
    for (name, config) in configs.into_iter().flatten() {
        let error = region_support::builder()
            .0
            .region(config)
            .build()
            .err()
            .expect("it is no share");
        assert_eq!(error.kind(), dogpile::ErrorKind::Configuration);
        let text = error.to_string();
        assert!(
            text.contains(name) && text.contains("from 0 to 1"),
            "{text}"
        );
    }
}
