//! Creations in the background that come to nothing: logged, counted, and left alone for a while.

#![forbid(unsafe_code)]

mod region_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use dogpile::{Region, RegionConfig, Source};

use region_support::{SECOND, TICK, builder, logs, memory, region, until};

fn minute() -> RegionConfig {
    RegionConfig::on("users", "memory").expiration_time(60 * SECOND)
}

/// Until what was put off is done.
fn until_refreshed(users: &Region, key: &str) {
    until(|| !users.key_is_locked(key).unwrap());
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

#[test]
fn a_creation_that_falls_over_is_logged_and_its_panic_goes_to_who_runs_it() {
    let (users, hand) = memory();
    let (send, creations) = mpsc::channel();
    users.set_creation_runner(move |creation| send.send(creation).unwrap());
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    let falls = || -> i32 { panic!("no row {}", 42) };
    drop(users.entry("1").background(falls).get_or_create().unwrap());
    let creation = creations.recv().unwrap();
    let lines = logs::of(|| {
        assert!(catch_unwind(AssertUnwindSafe(|| creation.run())).is_err());
    });
    let line = lines.iter().find(|line| line.level == "WARN");
    let line = line.expect("it is logged");
    assert_eq!(line.message, "a creation in the background failed");
    assert_eq!(line.field("error"), "the creator panicked: no row 42");
    assert_eq!(users.stats().errors, 1);
}
