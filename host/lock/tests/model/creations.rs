//! Who creates, and what the others get.

use crate::check::{Reached, check};
use crate::world::{A, Store, Terms, World, caught, count, crowd, fails, makes, panics_until};
use dogpile_lock::{LockError, Source};
use shuttle::sync::atomic::Ordering;
use shuttle::thread;

#[test]
fn a_first_miss_is_created_once_and_waiters_do_not_read() {
    static REACHED: Reached = Reached::new("three waiters");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, &Terms::default(), makes).unwrap()
        });
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
        REACHED.note(count(&gotten, Source::Waited) == 3);
        // One read each, and a second by each who had the turn; those who came with a fresh value are among the last.
        let waited = count(&gotten, Source::Waited);
        let reads = world.stores[A].reads.load(Ordering::SeqCst);
        assert!(reads <= 4 + 4 - waited);
    });
}

#[test]
fn an_expiry_is_created_once_and_nobody_with_a_stale_value_waits() {
    static REACHED: Reached = Reached::new("stale values meanwhile");
    check(&[&REACHED], || {
        let world = World::expired();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, &Terms::default(), makes).unwrap()
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(count(&gotten, Source::Waited), 0);
        REACHED.note(count(&gotten, Source::Stale) == 3);
        for got in gotten {
            let expected = if got.source == Source::Stale { 1 } else { 2 };
            assert_eq!(got.value, expected);
        }
    });
}

#[test]
fn each_of_several_expiries_is_created_once() {
    static REACHED: Reached = Reached::new("a stale value");
    check(&[&REACHED], || {
        let world = World::new([0, 0, 0].map(|value| Store::holding(value, 1)));
        crowd(&world, 3, |world, at| {
            let call = || world.call(A, &Terms::default(), makes).unwrap();
            for round in 1..=3 {
                if at == 0 {
                    // Nobody creates ahead of the expiry, and this thread sees each through.
                    world.stores[A].wanted.store(round, Ordering::SeqCst);
                    while call().value < round {
                        thread::yield_now();
                    }
                } else {
                    REACHED.note(call().source == Source::Stale);
                }
            }
        });
        assert_eq!(world.stores[A].creations(), 3);
    });
}

#[test]
fn a_panic_hands_the_turn_to_the_next_waiter() {
    static REACHED: Reached = Reached::new("a waiter of the third creator");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            caught(|| world.call(A, &Terms::default(), panics_until(2)))
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().map(Result::unwrap).collect();
        assert_eq!(gotten.len(), 2, "two panicked, each to its own caller");
        assert!(gotten.iter().all(|got| got.value == 1));
        REACHED.note(count(&gotten, Source::Waited) == 1);
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 3);
    });
}

#[test]
fn waiters_share_an_error_and_the_next_call_creates() {
    static REACHED: Reached = Reached::new("an error shared by all");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            let creator = async |creation| match creation {
                1 => fails(creation).await,
                _ => makes(creation).await,
            };
            world.call(A, &Terms::default(), creator)
        });
        // Who came after the failed flight created anew, once.
        let failed = gotten.iter().filter(|got| got.is_err()).count();
        REACHED.note(failed == 4);
        assert!(failed >= 1);
        for error in gotten.into_iter().filter_map(Result::err) {
            assert_eq!(error, LockError::Creation("creation 1 failed".to_owned()));
        }
        let all_failed = failed == 4;
        assert_eq!(world.stores[A].creations(), if all_failed { 1 } else { 2 });
        let next = world.call(A, &Terms::default(), makes).unwrap();
        assert_eq!(next.value, 1);
    });
}
