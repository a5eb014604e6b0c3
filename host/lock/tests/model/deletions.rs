//! Deletions while a value is created.

use crate::check::{Reached, check};
use crate::world::{A, KEYS, Mood, Terms, World, caught, crowd, makes, panics_until};
use dogpile_lock::LockError;
use shuttle::rand::{self, Rng};
use shuttle::sync::atomic::Ordering;
use shuttle::thread;

/// So that a deletion comes as often late as early.
fn some_time() {
    for _ in 0..rand::thread_rng().gen_range(0..60) {
        thread::yield_now();
    }
}

#[test]
fn what_was_deleted_while_it_was_created_goes_to_who_waited_before_and_is_not_stored() {
    static OLD: Reached = Reached::new("the old value, and the new one created beside it");
    static NEW: Reached = Reached::new("nobody with the old value");
    check(&[&OLD, &NEW], || {
        let world = World::empty();
        let terms = || Terms {
            wants_fresh: true,
            ..Terms::default()
        };
        let gotten = crowd(&world, 4, move |world, at| {
            let store = &world.stores[A];
            if at == 0 {
                some_time();
                store.delete(&world.flights, KEYS[A]);
            }
            let least = store.least.load(Ordering::SeqCst);
            let value = world.call(A, &terms(), makes).unwrap().value;
            assert!(value >= least, "began after the deletion, but got {value}");
            value
        });
        OLD.note(gotten.contains(&1) && world.stores[A].creations() > 1);
        NEW.note(gotten.iter().all(|got| *got == 2));
        let stored = *world.stores[A].value.lock().unwrap();
        assert!(stored == 0 || stored == 2, "{stored} is stored after all");
        assert_eq!(world.call(A, &terms(), makes).unwrap().value, 2);
    });
}

#[test]
fn what_fails_after_a_deletion_is_no_error_of_who_came_after_that() {
    static OLD: Reached = Reached::new("the old error, and a creation beside it");
    static NEW: Reached = Reached::new("nobody with the old error");
    check(&[&OLD, &NEW], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, move |world, at| {
            let store = &world.stores[A];
            if at == 0 {
                some_time();
                store.delete(&world.flights, KEYS[A]);
            }
            let least = store.least.load(Ordering::SeqCst);
            // It tells what was wanted when it had begun.
            let creator = async |_| Err::<Mood, _>(store.wanted.load(Ordering::SeqCst).to_string());
            let Err(LockError::Creation(error)) = world.call(A, &Terms::default(), creator) else {
                panic!("every creation fails");
            };
            let wanted: usize = error.parse().unwrap();
            assert!(wanted >= least, "came after the deletion, but got {error}");
            wanted
        });
        OLD.note(gotten.contains(&1) && world.stores[A].creations() > 1);
        NEW.note(gotten.iter().all(|got| *got == 2));
    });
}

#[test]
fn a_creator_that_takes_over_after_a_deletion_stores_what_it_creates() {
    static OLD: Reached = Reached::new("an old value that is not stored any more");
    static REPLACED: Reached = Reached::new("a deletion before the second creator began");
    check(&[&OLD, &REPLACED], || {
        let world = World::empty();
        let terms = Terms {
            wants_fresh: true,
            ..Terms::default()
        };
        let gotten = crowd(&world, 3, move |world, at| {
            if at == 0 {
                some_time();
                world.stores[A].delete(&world.flights, KEYS[A]);
                return None;
            }
            caught(|| world.call(A, &terms, panics_until(1)).unwrap().value)
        });
        let stored = *world.stores[A].value.lock().unwrap();
        OLD.note(stored == 0 && gotten.contains(&Some(1)));
        REPLACED.note(stored == 2);
        let got = gotten.into_iter().flatten().next();
        // What is stored is what its creator gave, or it was deleted.
        assert!(stored == 0 || got == Some(stored));
    });
}
