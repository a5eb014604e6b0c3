//! Creations that are put off to another thread.

use crate::check::{Reached, check};
use crate::world::{A, Mood, Store, Terms, World, caught, count, crowd, makes, panics_until};
use dogpile_lock::{Clock, LockError, Retry, Source};
use shuttle::{future, thread};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CALLERS: usize = 3;

fn putting_off() -> Terms {
    Terms {
        puts_off: true,
        ..Terms::default()
    }
}

fn wanting_fresh() -> Terms {
    Terms {
        wants_fresh: true,
        ..Terms::default()
    }
}

#[test]
fn a_creation_put_off_is_run_once_and_who_waits_gets_its_value() {
    static WAITED: Reached = Reached::new("a value waited for");
    static STALE: Reached = Reached::new("nobody created in the foreground");
    check(&[&WAITED, &STALE], || {
        let world = World::expired();
        let served = AtomicUsize::new(0);
        let gotten = crowd(&world, CALLERS + 1, move |world, at| {
            if at < CALLERS {
                let terms = if at == 0 {
                    wanting_fresh()
                } else {
                    putting_off()
                };
                let got = world.call(A, &terms, makes).unwrap();
                served.fetch_add(1, Ordering::SeqCst);
                return Some(got);
            }
            loop {
                let last = served.load(Ordering::SeqCst) == CALLERS;
                let turn = world.put_off.lock().unwrap().pop();
                if let Some(turn) = turn {
                    let terms = Terms::default();
                    let mut operation = world.operation(A, &terms, makes);
                    future::block_on(turn.run(&mut operation, None)).unwrap();
                } else if last {
                    return None;
                }
                thread::yield_now();
            }
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().collect();
        for got in &gotten {
            let expected = if got.source == Source::Stale { 1 } else { 2 };
            assert_eq!(got.value, expected);
        }
        WAITED.note(count(&gotten, Source::Waited) > 0);
        STALE.note(count(&gotten, Source::Created) == 0);
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(*world.stores[A].value.lock().unwrap(), 2);
    });
}

#[test]
fn a_creation_put_off_that_panics_hands_over_to_who_waits() {
    static REACHED: Reached = Reached::new("a turn taken over");
    check(&[&REACHED], || {
        let world = World::expired();
        // Nobody has called yet: the first puts it off.
        let stale = world.call(A, &putting_off(), makes).unwrap();
        assert_eq!(stale.source, Source::Stale);
        let gotten = crowd(&world, 2, |world, at| {
            if at == 0 {
                return Some(world.call(A, &wanting_fresh(), makes).unwrap());
            }
            let turn = world.put_off.lock().unwrap().pop();
            let terms = Terms::default();
            let mut operation = world.operation(A, &terms, panics_until(1));
            let turn = turn.expect("it was put off");
            assert!(caught(|| future::block_on(turn.run(&mut operation, None))).is_none());
            None
        });
        let got = gotten[0].unwrap();
        assert_eq!((got.value, got.source), (2, Source::Created));
        assert_eq!(world.stores[A].creations(), 2);
        REACHED.note(true);
    });
}

#[test]
fn a_creation_put_off_and_given_up_is_free_for_the_next() {
    static REACHED: Reached = Reached::new("a turn taken over from nobody");
    check(&[&REACHED], || {
        let world = World::expired();
        let stale = world.call(A, &putting_off(), makes).unwrap();
        assert_eq!(stale.source, Source::Stale);
        let gotten = crowd(&world, 3, |world, at| {
            if at < 2 {
                return Some(world.call(A, &wanting_fresh(), makes).unwrap());
            }
            let turn = world.put_off.lock().unwrap().pop();
            REACHED.note(turn.as_ref().unwrap().is_awaited());
            drop(turn);
            None
        });
        for got in gotten.into_iter().flatten() {
            assert_eq!(got.value, 2);
        }
        assert_eq!(world.stores[A].creations(), 1);
    });
}

fn left_alone(mood: Mood, reached: &'static Reached) {
    check(&[reached], move || {
        let (clock, _hand) = Clock::manual(1_000);
        let store = || Store::holding(1, 2).good(true, true);
        let world = World::new([store(), store(), store()]);
        let terms = Terms {
            retry: Some(clock.clone()),
            ..putting_off()
        };
        let served = AtomicUsize::new(0);
        crowd(&world, CALLERS + 1, move |world, at| {
            let creator = async move |_| Ok(mood);
            if at < CALLERS {
                let got = world.call(A, &terms, creator).unwrap();
                assert_eq!((got.value, got.source), (1, Source::Stale));
                served.fetch_add(1, Ordering::SeqCst);
                return;
            }
            loop {
                let last = served.load(Ordering::SeqCst) == CALLERS;
                let turn = world.put_off.lock().unwrap().pop();
                if let Some(turn) = turn {
                    let mut operation = world.operation(A, &terms, creator);
                    let retry = Some(Retry {
                        after: Duration::from_secs(1),
                        clock: &clock,
                    });
                    let run = || future::block_on(turn.run(&mut operation, retry));
                    match caught(run) {
                        None => assert!(mood == Mood::Panics),
                        Some(run) => assert!(matches!(run, Err(LockError::Creation(_)))),
                    }
                    reached.note(!last);
                } else if last {
                    return;
                }
                thread::yield_now();
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
    });
}

#[test]
fn a_failure_of_a_creation_put_off_is_left_alone() {
    static REACHED: Reached = Reached::new("a failure while others called");
    left_alone(Mood::Fails, &REACHED);
}

#[test]
fn a_panic_of_a_creation_put_off_is_left_alone_too() {
    static REACHED: Reached = Reached::new("a panic while others called");
    left_alone(Mood::Panics, &REACHED);
}
