//! Callers whose patience ends.

use crate::check::{Reached, check};
use crate::world::{A, PATIENCE, Terms, World, caught, count, crowd, makes, panics_until};
use dogpile_lock::{LockError, Source};

#[test]
fn a_turn_handed_to_a_waiter_that_times_out_is_not_lost() {
    static REACHED: Reached = Reached::new("a time-out");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, at| {
            // Two have a deadline, so that the one chosen and the next may both be about to leave.
            let terms = if at < 2 {
                Terms::impatient()
            } else {
                Terms::default()
            };
            (at, caught(|| world.call(A, &terms, panics_until(1))))
        });
        let panicked = gotten.iter().filter(|(_, got)| got.is_none()).count();
        assert_eq!(panicked, 1);
        REACHED.note(gotten.iter().any(|(_, got)| matches!(got, Some(Err(_)))));
        for (at, got) in gotten {
            match got {
                None => {}
                Some(Ok(outcome)) => assert_eq!(outcome.value, 1),
                Some(Err(error)) => {
                    assert_eq!(error, LockError::TimedOut(PATIENCE));
                    assert!(at < 2, "timed out without a deadline");
                }
            }
        }
        assert_eq!(world.stores[A].creations(), 2);
    });
}

#[test]
fn a_waiter_that_times_out_leaves_the_creation_alone() {
    static REACHED: Reached = Reached::new("three time-outs");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, &Terms::impatient(), makes)
        });
        for got in &gotten {
            match got {
                Ok(outcome) => assert_eq!(outcome.value, 1),
                Err(error) => assert_eq!(*error, LockError::TimedOut(PATIENCE)),
            }
        }
        let gotten: Vec<_> = gotten.into_iter().flatten().collect();
        REACHED.note(gotten.len() == 1);
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
    });
}
