//! Stale values that stand in for a failed creation.

use crate::check::{Reached, check};
use crate::world::{A, Store, Terms, World, count, crowd, fails, makes};
use dogpile_lock::{Clock, LockError, Source};
use shuttle::rand::{self, Rng};
use shuttle::sync::atomic::Ordering;
use shuttle::thread;
use std::sync::Arc;
use std::time::Duration;

/// A world of stale values that are good for errors, and the terms of callers who leave failures alone.
fn world(meanwhile: bool, clock: &Clock) -> (Arc<World>, Terms) {
    let store = || Store::holding(1, 2).good(meanwhile, true);
    let terms = Terms {
        retry: Some(clock.clone()),
        ..Terms::default()
    };
    (World::new([store(), store(), store()]), terms)
}

fn nobody_tries_again_until_its_time(meanwhile: bool, reached: &'static Reached) {
    check(&[reached], move || {
        let (clock, hand) = Clock::manual(1_000);
        let (world, terms) = world(meanwhile, &clock);
        let own = terms.clone();
        let gotten = crowd(&world, 4, move |world, _| world.call(A, &own, fails));
        let gotten: Vec<_> = gotten.into_iter().map(Result::unwrap).collect();
        assert_eq!(count(&gotten, Source::Stale), 4);
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(world.stores[A].creations(), 1);
        reached.note(world.stores[A].reads.load(Ordering::SeqCst) == 5);
        hand.advance(Duration::from_secs(1));
        let next = world.call(A, &terms, makes).unwrap();
        assert_eq!((next.value, next.source), (2, Source::Created));
    });
}

#[test]
fn a_failure_is_left_alone_by_all_who_waited_with_a_stale_value() {
    static REACHED: Reached = Reached::new("one read again");
    nobody_tries_again_until_its_time(false, &REACHED);
}

#[test]
fn a_failure_is_left_alone_by_all_who_did_not_wait() {
    static REACHED: Reached = Reached::new("one read again");
    nobody_tries_again_until_its_time(true, &REACHED);
}

#[test]
fn who_has_nothing_to_serve_shares_the_error_or_creates() {
    static SHARED: Reached = Reached::new("a shared error");
    static CREATED: Reached = Reached::new("a creation after the failure");
    check(&[&SHARED, &CREATED], || {
        let (world, terms) = world(false, &Clock::manual(1_000).0);
        let gotten = crowd(&world, 3, move |world, at| {
            if at == 0 {
                // So that it comes as often late as early.
                for _ in 0..rand::thread_rng().gen_range(0..60) {
                    thread::yield_now();
                }
            }
            let terms = Terms {
                wants_fresh: at == 0,
                ..terms.clone()
            };
            let creator = async |creation| match creation {
                1 => fails(creation).await,
                _ => makes(creation).await,
            };
            world.call(A, &terms, creator)
        });
        let error = LockError::Creation("creation 1 failed".to_owned());
        match &gotten[0] {
            Err(shared) => assert_eq!(*shared, error),
            Ok(own) => assert_eq!((own.value, own.source), (2, Source::Created)),
        }
        SHARED.note(gotten[0].is_err());
        CREATED.note(gotten[0].is_ok());
        for got in &gotten[1..] {
            assert!(got.is_ok(), "there was a stale value");
        }
        assert!(world.stores[A].creations() <= 2);
    });
}
