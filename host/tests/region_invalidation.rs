//! What an invalidation of a region outdates, and how.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use dogpile::{
    ErrorKind, Expiration, Invalidation, ManualClock, MissReason, Region, RegionConfig, Source,
};

use region_support::{
    SECOND, START, TICK, all_misses, beside_a_creation, builder, memory, misses, region,
};

/// The same region on objects and on bytes.
fn both() -> [(Region, ManualClock); 2] {
    let config = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
    [config.clone(), config.argument("storage", "bytes")].map(region)
}

#[test]
fn after_a_hard_invalidation_callers_wait_for_new_values() {
    let (users, hand) = memory();
    users.set("hard", 1).unwrap();
    hand.advance(SECOND);
    users.invalidate(Invalidation::Hard).unwrap();
    assert!(users.get::<i32>("hard").unwrap().is_none());
    let waited = beside_a_creation(&users, "hard", true);
    assert_eq!(waited, (2, Source::Waited));
    assert_eq!(users.get::<i32>("hard").unwrap().as_deref(), Some(&2));
    assert_eq!(all_misses(&users), [(MissReason::Invalidated, 3)]);
}

#[test]
fn after_a_soft_invalidation_old_values_are_served_while_new_ones_are_created() {
    let (users, hand) = memory();
    users.set("soft", 1).unwrap();
    hand.advance(SECOND);
    users.invalidate(Invalidation::Soft).unwrap();
    assert!(users.get::<i32>("soft").unwrap().is_none());
    let served = beside_a_creation(&users, "soft", false);
    assert_eq!(served, (1, Source::Stale));
    assert_eq!(users.get::<i32>("soft").unwrap().as_deref(), Some(&2));
    assert_eq!(misses(&users, MissReason::Invalidated), 3);
}

#[test]
fn a_value_that_never_expires_by_itself_is_created_anew_after_a_soft_invalidation() {
    for (at, (users, hand)) in both().into_iter().enumerate() {
        let never = |key: &str| {
            let entry = users
                .entry(key)
                .expiration_from(|_: &i32| Expiration::Never);
            entry.set(1).unwrap();
        };
        let (soft, late) = (format!("own never {at}"), format!("late {at}"));
        never(&soft);
        never(&late);
        hand.advance(1_000 * SECOND);
        assert_eq!(*users.get_or_create(&soft, || 2).unwrap(), 1);
        users.invalidate(Invalidation::Soft).unwrap();
        assert!(users.get::<i32>(&soft).unwrap().is_none());
        // The next caller creates, and others are served the old value meanwhile.
        assert_eq!(beside_a_creation(&users, &soft, false), (1, Source::Stale));
        assert_eq!(users.get::<i32>(&soft).unwrap().as_deref(), Some(&2));
        // For `max_stale` from the invalidation on, and no longer.
        hand.advance(60 * SECOND);
        assert_eq!(beside_a_creation(&users, &late, false), (1, Source::Stale));
        never(&late);
        users.invalidate(Invalidation::Soft).unwrap();
        hand.advance(61 * SECOND);
        assert_eq!(beside_a_creation(&users, &late, true), (2, Source::Waited));
    }
}

#[test]
fn a_hard_invalidation_outweighs_a_soft_one() {
    for order in [
        [Invalidation::Soft, Invalidation::Hard],
        [Invalidation::Hard, Invalidation::Soft],
    ] {
        let (users, _) = memory();
        users.set("1", 1).unwrap();
        for how in order {
            users.invalidate(how).unwrap();
        }
        // Had it still been served, a creator would have it too.
        let made = users.try_get_or_create("1", || users.get_or_create("1", || 2).map(|two| *two));
        assert!(made.is_err(), "{order:?}");
    }
}

#[test]
fn values_that_never_expire_can_be_invalidated_hard_only() {
    let (users, _) = region(RegionConfig::on("users", "memory"));
    users.set("1", 1).unwrap();
    for refused in [
        users.invalidate(Invalidation::Soft),
        users.invalidate_tags(["tag"], Invalidation::Soft),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoExpirationTime);
        let text = error.to_string();
        assert!(
            text.contains("`users`") && text.contains("`expiration_time`"),
            "{text}"
        );
    }
    assert!(users.get::<i32>("1").unwrap().is_some());
    users.invalidate(Invalidation::Hard).unwrap();
    assert!(users.get::<i32>("1").unwrap().is_none());
}

#[test]
fn before_and_after_are_told_apart_within_one_tick() {
    for (users, hand) in both() {
        for tick in 0..1000 {
            hand.set(START * 1_000_000_000 + tick * 37);
            for how in [Invalidation::Hard, Invalidation::Soft] {
                users.set("1", 1).unwrap();
                users.invalidate(how).unwrap();
                let old = users.get::<i32>("1").unwrap();
                assert!(old.is_none(), "{how:?} at {tick}");
                users.get_or_create("1", || 2).unwrap();
                let new = users.get::<i32>("1").unwrap();
                assert_eq!(new.as_deref(), Some(&2), "{how:?} at {tick}");
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_hides_no_new_value_and_shows_no_old_one() {
    for (users, hand) in both() {
        users.set("1", 1).unwrap();
        hand.set((START - 5) * 1_000_000_000);
        users.invalidate(Invalidation::Hard).unwrap();
        assert!(users.get::<i32>("1").unwrap().is_none());
        users.set("1", 2).unwrap();
        assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&2));
    }
}

#[test]
fn what_was_begun_before_a_hard_invalidation_goes_to_its_callers_only() {
    for (users, hand) in both() {
        let made = users.get_or_create("1", || {
            hand.advance(TICK);
            users.invalidate(Invalidation::Hard).unwrap();
            hand.advance(TICK);
            1
        });
        assert_eq!(*made.unwrap(), 1);
        assert!(users.get::<i32>("1").unwrap().is_none());
        assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
    }
}

#[test]
fn an_invalidation_concerns_its_region_alone() {
    let (builder, _) = builder();
    let host = builder
        .region(RegionConfig::on("users", "memory"))
        .region(RegionConfig::on("orders", "memory"))
        .build()
        .unwrap();
    let [users, orders] = ["users", "orders"].map(|name| host.region(name).unwrap());
    users.set("1", 1).unwrap();
    orders.set("1", 1).unwrap();
    users.invalidate(Invalidation::Hard).unwrap();
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert!(orders.get::<i32>("1").unwrap().is_some());
}

#[test]
fn an_invalidation_reads_and_removes_nothing() {
    let board = region_support::Board::new("invalidation");
    let (users, _) = region(board.objects());
    users.set("1", 1).unwrap();
    board.calls();
    users.invalidate(Invalidation::Hard).unwrap();
    assert!(board.calls().is_empty());
    assert!(users.get_value_metadata("1").unwrap().is_some());
}

#[test]
fn invalidations_beside_creations_leave_no_value_from_before() {
    let (users, _) = memory();
    let version = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let create = || users.get_or_create("1", || version.load(Ordering::SeqCst));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    create().unwrap();
                }
            });
        }
        for _ in 0..500 {
            let now = version.fetch_add(1, Ordering::SeqCst) + 1;
            users.invalidate(Invalidation::Hard).unwrap();
            create().unwrap();
            let found = users.get::<u64>("1").unwrap();
            if found.is_none_or(|found| *found < now) {
                done.store(true, Ordering::SeqCst);
                panic!("what is served was created before version {now}");
            }
        }
        done.store(true, Ordering::SeqCst);
    });
}
