//! Many threads on one region: one creator for each value, and numbers that are exact.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dogpile::{Invalidation, MissReason, RegionConfig, Source};

use region_support::{SECOND, all_misses, memory, region, until};

const THREADS: u64 = 64;
const EXPIRIES: u64 = 1_000;
const KEYS: u64 = 200;

#[test]
fn a_thousand_expiries_of_one_key_are_a_thousand_creations_with_stale_values_meanwhile() {
    let (users, hand) = memory();
    users.set("1", 0_u64).unwrap();
    let created = AtomicU64::new(0);
    let stale = AtomicU64::new(0);
    let round_trip = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=EXPIRIES {
                    let leads = round_trip.wait().is_leader();
                    let before = stale.load(Ordering::SeqCst);
                    if leads {
                        hand.advance(61 * SECOND);
                    }
                    round_trip.wait();
                    let got = users.get_or_create("1", || {
                        // Until another caller has had the old value in this round.
                        until(|| stale.load(Ordering::SeqCst) > before);
                        created.fetch_add(1, Ordering::SeqCst) + 1
                    });
                    let got = got.unwrap();
                    match got.source() {
                        Source::Stale => {
                            assert_eq!(*got, round - 1);
                            stale.fetch_add(1, Ordering::SeqCst);
                        }
                        Source::Fresh | Source::Created => assert_eq!(*got, round),
                        Source::Waited => panic!("nobody waits where there is a stale value"),
                    }
                }
            });
        }
    });
    assert_eq!(created.load(Ordering::SeqCst), EXPIRIES);
    let stats = users.stats();
    assert_eq!(
        (stats.creations, stats.waits, stats.errors),
        (EXPIRIES, 0, 0)
    );
    assert_eq!(stats.stale, stale.load(Ordering::SeqCst));
    assert!(stats.stale >= EXPIRIES);
    let expired = stats.misses[&MissReason::Expired];
    assert_eq!(stats.hits + expired, THREADS * EXPIRIES);
    assert!(expired >= stats.stale + stats.creations);
}

#[test]
fn first_misses_of_two_hundred_keys_are_two_hundred_creations() {
    let bytes = RegionConfig::on("users", "memory").argument("storage", "bytes");
    for config in [RegionConfig::on("users", "memory"), bytes] {
        let (users, _) = region(config);
        let created = AtomicU64::new(0);
        let start = Barrier::new(usize::try_from(THREADS).unwrap());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for key in 0..KEYS {
                        start.wait();
                        let got = users.get_or_create(key.to_string(), || {
                            created.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            key
                        });
                        assert_eq!(*got.unwrap(), key);
                    }
                });
            }
        });
        assert_eq!(created.load(Ordering::SeqCst), KEYS);
        let stats = users.stats();
        let absent = stats.misses[&MissReason::Absent];
        assert_eq!((stats.creations, stats.stale, stats.errors), (KEYS, 0, 0));
        assert_eq!(stats.hits + absent, THREADS * KEYS);
        assert!(absent >= stats.creations + stats.waits);
    }
}

#[test]
fn numbers_are_exact_over_eight_threads() {
    const EACH: u64 = 100;
    let (users, hand) = memory();
    let together = Barrier::new(8);
    let turn = |change: &dyn Fn()| {
        if together.wait().is_leader() {
            change();
        }
        together.wait();
    };
    thread::scope(|scope| {
        for thread in 0..8 {
            let (users, hand, turn) = (&users, &hand, &turn);
            scope.spawn(move || {
                let keys = || (0..EACH).map(|key| format!("{thread}:{key}"));
                for key in keys() {
                    assert!(users.get::<u64>(&key).unwrap().is_none());
                    users.get_or_create(&key, || 1_u64).unwrap();
                    users.get::<u64>(&key).unwrap().unwrap();
                    assert!(users.get::<String>(&key).unwrap().is_none());
                    let failed = users.try_get_or_create(format!("{key}!"), || Err::<u64, _>("no"));
                    assert!(failed.is_err());
                }
                turn(&|| hand.advance(61 * SECOND));
                for key in keys() {
                    assert!(users.get::<u64>(&key).unwrap().is_none());
                    let made = users
                        .get_or_create(&key, || *users.get_or_create(&key, || 0_u64).unwrap() + 1);
                    assert_eq!(*made.unwrap(), 2);
                }
                turn(&|| users.invalidate(Invalidation::Hard).unwrap());
                for key in keys() {
                    assert!(users.get::<u64>(&key).unwrap().is_none());
                }
            });
        }
    });
    let all = 8 * EACH;
    let stats = users.stats();
    assert_eq!(stats.hits, all);
    assert_eq!((stats.creations, stats.stale), (2 * all, all));
    assert_eq!((stats.waits, stats.errors), (0, all));
    assert_eq!(
        all_misses(&users),
        [
            (MissReason::Absent, 3 * all),
            (MissReason::Expired, 3 * all),
            (MissReason::Invalidated, all),
            (MissReason::Type, all),
        ]
    );
}
