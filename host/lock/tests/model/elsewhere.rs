//! Another process that has the mutex.

use crate::check::{Reached, check};
use crate::world::{
    A, Holder, Mood, Store, Terms, World, caught, count, crowd, makes, panics_until,
};
use dogpile_lock::{Acquired, Outcome, Source};
use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CALLERS: usize = 3;

/// Another process has the mutex at first.
fn beside(value: usize, wanted: usize) -> Arc<World> {
    let stores = [value; 3].map(|value| Store::holding(value, wanted));
    World::beside(stores, Some(Holder::They))
}

/// What the thread that watches does, until `over` holds and it has no turn in hand.
fn watch(world: &World, over: impl Fn() -> bool) {
    loop {
        let last = over();
        let turns = std::mem::take(&mut *world.watched.lock().unwrap());
        if last && turns.is_empty() {
            return;
        }
        for mut turn in turns {
            let is_over = if turn.is_awaited() {
                let acquired = world.elsewhere.acquire();
                let is_ours = matches!(acquired, Acquired::Held(_));
                if let Acquired::Held(leave) = acquired {
                    turn.give_lease(leave);
                }
                is_ours
            } else {
                world.elsewhere.holder() == Holder::Nobody
            };
            if is_over {
                drop(turn);
            } else {
                world.watched.lock().unwrap().push(turn);
            }
        }
        thread::yield_now();
    }
}

/// Callers, a watching thread, and the other process, which does `theirs` and frees the mutex.
fn run(
    world: &Arc<World>,
    terms: Terms,
    creator: impl AsyncFnMut(usize) -> Result<Mood, String> + Copy + Send + Sync + 'static,
    theirs: impl Fn(&World) + Send + Sync + 'static,
) -> Vec<Outcome<usize>> {
    let served = AtomicUsize::new(0);
    let gotten = crowd(world, CALLERS + 2, move |world, at| {
        match at.checked_sub(CALLERS) {
            None => {
                let got = world.call(A, &terms, creator).unwrap();
                served.fetch_add(1, Ordering::SeqCst);
                return Some(got);
            }
            Some(0) => watch(world, || served.load(Ordering::SeqCst) == CALLERS),
            Some(_) => {
                theirs(world);
                thread::yield_now();
                assert_eq!(world.elsewhere.set(Holder::Nobody), Holder::They);
            }
        }
        None
    });
    assert_eq!(world.elsewhere.holder(), Holder::Nobody, "a lease is left");
    gotten.into_iter().flatten().collect()
}

#[test]
fn the_first_who_waits_gets_the_turn_with_the_lease_when_another_process_is_gone() {
    static REACHED: Reached = Reached::new("a lease handed to a waiter");
    check(&[&REACHED], || {
        let world = beside(0, 1);
        let gotten = run(&world, Terms::default(), makes, |_| ());
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
        REACHED.note(count(&gotten, Source::Waited) == CALLERS - 1);
    });
}

#[test]
fn what_another_process_created_is_read_once_for_all_who_wait() {
    static REACHED: Reached = Reached::new("a value that all waited for");
    check(&[&REACHED], || {
        let world = beside(0, 1);
        let theirs = |world: &World| world.stores[A].write(1);
        let gotten = run(&world, Terms::default(), makes, theirs);
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(world.stores[A].creations(), 0);
        REACHED.note(count(&gotten, Source::Waited) == CALLERS - 1);
    });
}

#[test]
fn who_has_a_stale_value_is_served_while_another_process_creates_and_asks_once() {
    static REACHED: Reached = Reached::new("nothing but stale values");
    check(&[&REACHED], || {
        let world = beside(1, 2);
        let served = AtomicUsize::new(0);
        let gotten = crowd(&world, CALLERS + 1, move |world, at| {
            let over = || served.load(Ordering::SeqCst) == CALLERS;
            if at < CALLERS {
                let got = world.call(A, &Terms::default(), makes).unwrap();
                served.fetch_add(1, Ordering::SeqCst);
                return Some(got);
            }
            // The other process is at work until all have been served.
            let freed = || {
                if over() {
                    world.elsewhere.set(Holder::Nobody);
                }
                over()
            };
            watch(world, freed);
            None
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().collect();
        assert_eq!(count(&gotten, Source::Stale), CALLERS);
        assert_eq!(world.stores[A].creations(), 0);
        assert_eq!(world.elsewhere.asked.load(Ordering::SeqCst), 1);
        REACHED.note(true);
        let next = world.call(A, &Terms::default(), makes).unwrap();
        assert_eq!((next.value, next.source), (2, Source::Created));
        assert_eq!(world.elsewhere.holder(), Holder::Nobody);
    });
}

#[test]
fn a_lease_goes_on_from_a_creator_that_panics() {
    static REACHED: Reached = Reached::new("a lease that was used twice");
    check(&[&REACHED], || {
        let world = beside(0, 1);
        world.elsewhere.set(Holder::Nobody);
        let served = AtomicUsize::new(0);
        // While a lease that nobody took over is on its way back, the next caller is told that another has it.
        let gotten = crowd(&world, CALLERS + 1, move |world, at| {
            if at == CALLERS {
                watch(world, || served.load(Ordering::SeqCst) == CALLERS);
                return None;
            }
            let got = caught(|| world.call(A, &Terms::default(), panics_until(1)).unwrap());
            served.fetch_add(1, Ordering::SeqCst);
            got
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().collect();
        assert_eq!(gotten.len(), CALLERS - 1);
        assert_eq!(world.stores[A].creations(), 2);
        assert_eq!(world.elsewhere.holder(), Holder::Nobody);
        let asked = world.elsewhere.asked.load(Ordering::SeqCst);
        REACHED.note(asked == 1 && count(&gotten, Source::Waited) == CALLERS - 2);
    });
}
