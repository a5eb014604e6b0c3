//! Invalidation in the program's own way.

#![forbid(unsafe_code)]

mod region_support;

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use dogpile::{
    ErrorKind, Expiration, Invalidation, InvalidationStrategy, MissReason, Region, RegionConfig,
    Source, Verdict,
};

use region_support::{
    Board, SECOND, TICK, after, beside_a_creation, held, memory, misses, region, until_waiting,
};

/// Outdates what was created before a moment, in one of the ways.
#[derive(Default)]
struct Before {
    line: Mutex<Option<(SystemTime, Invalidation)>>,
    asked: AtomicUsize,
    fails: bool,
}

#[derive(Clone)]
struct Shared(Arc<Before>);

impl InvalidationStrategy for Shared {
    fn invalidate(&self, how: Invalidation) -> Result<(), Box<dyn StdError + Send + Sync>> {
        if self.0.fails {
            return Err("not today".into());
        }
        *self.0.line.lock().unwrap() = Some((after(10), how));
        Ok(())
    }

    fn outdates(&self, created: SystemTime, started: SystemTime) -> Option<Verdict> {
        assert!(started <= created);
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let line = *self.0.line.lock().unwrap();
        let (since, how) = line.filter(|(line, _)| created < *line)?;
        Some(match how {
            Invalidation::Hard => Verdict::Hard,
            Invalidation::Soft => Verdict::Soft { since },
        })
    }
}

#[test]
fn a_strategy_of_the_programs_own_decides_what_is_outdated() {
    let (users, hand) = memory();
    let strategy = Shared(Arc::default());
    users.set_invalidation_strategy(strategy.clone());
    users.set("hard", 1).unwrap();
    users.entry("tagged").tags(["red"]).set(1).unwrap();
    assert_eq!(users.get::<i32>("hard").unwrap().as_deref(), Some(&1));
    assert_eq!(
        (users.stats().hits, strategy.0.asked.load(Ordering::SeqCst)),
        (1, 1)
    );
    users.invalidate(Invalidation::Hard).unwrap();
    for key in ["hard", "tagged"] {
        assert!(users.get::<i32>(key).unwrap().is_none());
    }
    assert_eq!(misses(&users, MissReason::Invalidated), 2);
    // It says what is outdated, not the time of the call: what is created now is, too.
    users.set("hard", 1).unwrap();
    assert!(users.get::<i32>("hard").unwrap().is_none());
    hand.advance(11 * SECOND);
    users.set("hard", 1).unwrap();
    assert!(users.get::<i32>("hard").unwrap().is_some());
    users.entry("tagged").tags(["red"]).set(1).unwrap();
    users.invalidate_tags(["red"], Invalidation::Hard).unwrap();
    assert!(users.get::<i32>("tagged").unwrap().is_none());
}

#[test]
fn a_strategy_can_outdate_softly() {
    let (users, hand) = memory();
    users.set("softly", 1).unwrap();
    users.set_invalidation_strategy(Shared(Arc::default()));
    users.invalidate(Invalidation::Soft).unwrap();
    hand.advance(11 * SECOND);
    assert_eq!(
        beside_a_creation(&users, "softly", false),
        (1, Source::Stale)
    );
}

#[test]
fn what_a_strategy_outdates_softly_and_never_expires_is_served_for_its_limits_and_no_longer() {
    for bytes in [false, true] {
        let config = RegionConfig::on("users", "memory")
            .expiration_time(60 * SECOND)
            .stale_if_error(100 * SECOND, TICK);
        let config = if bytes {
            config.argument("storage", "bytes")
        } else {
            config
        };
        let (users, hand) = region(config);
        let late = format!("too stale {bytes}");
        for key in ["meanwhile", "on error", &late] {
            let entry = users.entry(key);
            let entry = entry.expiration_from(|_: &i32| Expiration::Never);
            entry.set(1).unwrap();
        }
        users.set_invalidation_strategy(Shared(Arc::default()));
        users.invalidate(Invalidation::Soft).unwrap();
        let fail = || users.try_get_or_create("on error", || Err::<i32, _>("no row"));
        // They are outdated since second 10: served meanwhile until second 70, on errors until second 110.
        hand.advance(70 * SECOND);
        let served = beside_a_creation(&users, "meanwhile", false);
        assert_eq!(served, (1, Source::Stale));
        hand.advance(SECOND);
        let waited = beside_a_creation(&users, &late, true);
        assert_eq!(waited, (2, Source::Waited));
        hand.advance(39 * SECOND);
        assert_eq!(fail().unwrap().source(), Source::Stale);
        hand.advance(TICK);
        assert_eq!(fail().unwrap_err().kind(), ErrorKind::Creator);
    }
}

/// Outdates everything.
struct Always(Verdict);

impl InvalidationStrategy for Always {
    fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(())
    }

    fn outdates(&self, _: SystemTime, _: SystemTime) -> Option<Verdict> {
        Some(self.0)
    }
}

#[test]
fn what_a_strategy_outdates_since_before_it_was_created_is_outdated_since_then() {
    let never = |users: &Region, key: &str| {
        let entry = users.entry(key);
        let entry = entry.expiration_from(|_: &i32| Expiration::Never);
        entry.set(1).unwrap();
    };
    let before_all = SystemTime::UNIX_EPOCH - SECOND;
    for (at, since) in [before_all, SystemTime::UNIX_EPOCH, after(0)]
        .into_iter()
        .enumerate()
    {
        let (users, hand) = memory();
        hand.advance(SECOND);
        let late = format!("since before {at}");
        never(&users, "1");
        never(&users, &late);
        users.set_invalidation_strategy(Always(Verdict::Soft { since }));
        assert!(users.get::<i32>("1").unwrap().is_none());
        hand.advance(60 * SECOND);
        assert_eq!(beside_a_creation(&users, "1", false), (1, Source::Stale));
        hand.advance(TICK);
        // What another created is outdated, too: this one creates.
        let (_, source) = beside_a_creation(&users, &late, true);
        assert_eq!(source, Source::Waited);
    }
}

#[test]
fn where_a_strategy_outdates_all_a_creator_is_called_once_and_its_outcome_is_its_callers() {
    let (users, _) = memory();
    users.set_invalidation_strategy(Always(Verdict::Hard));
    let failed = users.try_get_or_create("1", || Err::<i32, _>("no row"));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creator);
    let made = users.get_or_create("1", || 1).unwrap();
    assert_eq!((*made, made.source()), (1, Source::Created));
    assert!(users.get::<i32>("1").unwrap().is_none());
}

/// The creator is called for the second key when it has been called for the first: who created that is gone.
#[test]
fn where_a_strategy_outdates_all_a_creator_is_not_asked_again_for_what_it_left_out() {
    let (users, _) = memory();
    users.set_invalidation_strategy(Always(Verdict::Hard));
    let keys = ["left out by all means", "taken over by all means"];
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let gone = held(scope, |hold| {
            let create = || -> i32 {
                hold.wait();
                panic!("it is gone")
            };
            let call = AssertUnwindSafe(|| users.get_or_create(keys[1], create));
            catch_unwind(call).is_err()
        });
        let call = scope.spawn(|| {
            users.get_or_create_multi(&keys, |missing| {
                asked.extend(missing.to_vec());
                missing
                    .iter()
                    .rfind(|key| **key == keys[1])
                    .map(|key| (*key, 2))
            })
        });
        until_waiting(keys[1], 1);
        assert!(gone.end());
        let got = call.join().unwrap().unwrap();
        let got = got.into_iter().map(|got| got.map(|got| *got));
        assert_eq!(got.collect::<Vec<_>>(), [None, Some(2)]);
    });
    assert_eq!(asked, keys);
}

#[test]
fn what_was_invalidated_before_a_strategy_stays_so() {
    let (users, _) = memory();
    users.set("1", 1).unwrap();
    users.invalidate(Invalidation::Hard).unwrap();
    users.set_invalidation_strategy(Shared(Arc::default()));
    assert!(users.get::<i32>("1").unwrap().is_none());
}

#[test]
fn a_strategy_that_fails_is_told_and_the_storage_is_not_asked() {
    let board = Board::new("strategy");
    let (users, _) = region(board.shared());
    users.set_invalidation_strategy(Shared(Arc::new(Before {
        fails: true,
        ..Before::default()
    })));
    let error = users.invalidate(Invalidation::Hard).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Strategy);
    let text = error.to_string();
    assert!(
        text.contains("`users`") && text.contains("not today"),
        "{text}"
    );
    assert!(board.stored("_dogpile_inv:users").is_none());
    let (users, _) = region(RegionConfig::on("users", "memory"));
    users.set_invalidation_strategy(Shared(Arc::default()));
    let soft = users.invalidate(Invalidation::Soft).unwrap_err();
    assert_eq!(soft.kind(), ErrorKind::NoExpirationTime);
}
