//! Creators that wait for one another, on threads.

use crate::check::{Reached, check};
use crate::world::{A, B, C, Gotten, Mood, Terms, World, caught, crowd, makes, panics_until};
use dogpile_lock::{LockError, Source};

/// Calls `outer`, whose creator calls `inner`; gives what the two calls gave, the inner one if there was one.
fn nested(world: &World, outer: usize, inner: usize) -> (Gotten, Option<Gotten>) {
    let mut seen = None;
    let gotten = world.call(outer, &Terms::default(), async |_| {
        let gotten = world.call(inner, &Terms::default(), makes);
        seen = Some(gotten.clone());
        gotten
            .map(|_| Mood::Makes)
            .map_err(|error| error.to_string())
    });
    (gotten, seen)
}

fn is_circle(seen: Option<&Gotten>) -> bool {
    matches!(seen, Some(Err(LockError::Circle(_))))
}

/// At most one of the calls saw a circle; without one nothing failed.
fn one_circle_at_most(gotten: &[(Gotten, Option<Gotten>)]) -> bool {
    let circles = gotten
        .iter()
        .filter(|(_, seen)| is_circle(seen.as_ref()))
        .count();
    assert!(circles <= 1);
    assert!(circles == 1 || gotten.iter().all(|(outer, _)| outer.is_ok()));
    circles == 1
}

#[test]
fn two_creators_that_wait_for_each_other_end_with_one_error() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 2, |world, at| match at {
            0 => nested(world, A, B),
            _ => nested(world, B, A),
        });
        REACHED.note(one_circle_at_most(&gotten));
    });
}

#[test]
fn of_three_creators_in_a_ring_one_gets_an_error_and_only_if_it_is_closed() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| nested(world, at, (at + 1) % 3));
        REACHED.note(one_circle_at_most(&gotten));
    });
}

#[test]
fn waiting_in_one_order_is_never_a_circle() {
    static REACHED: Reached = Reached::new("a wait within a creator");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, at| match at {
            0 => nested(world, A, B),
            1 => nested(world, A, C),
            2 => nested(world, B, C),
            // One after the other, with no creator in between: no order to keep.
            _ => {
                world.call(C, &Terms::default(), makes).unwrap();
                world.call(A, &Terms::default(), makes).unwrap();
                (world.call(B, &Terms::default(), makes), None)
            }
        });
        for (outer, seen) in gotten {
            assert!(!is_circle(seen.as_ref()));
            let waited = |seen: Gotten| seen.unwrap().source == Source::Waited;
            REACHED.note(seen.is_some_and(waited));
            outer.unwrap();
        }
    });
}

#[test]
fn a_turn_that_changed_hands_is_no_false_circle_and_hides_no_true_one() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        // The first creation of "a" panics while others wait for it and wait for what they hold.
        let gotten = crowd(&world, 4, |world, at| {
            let mut circle = false;
            let terms = Terms::default();
            let called = || match at {
                0 | 1 => world.call(A, &terms, async |creation| {
                    if creation == 1 {
                        return Ok(Mood::Panics);
                    }
                    let inner = world.call(B, &terms, makes);
                    circle = matches!(inner, Err(LockError::Circle(_)));
                    Ok(Mood::Makes)
                }),
                // Holds "b" and asks for "a": a circle with whoever creates "a" and asks for "b".
                2 => world.call(B, &terms, async |_| {
                    let inner = world.call(A, &terms, panics_until(1));
                    circle = matches!(inner, Err(LockError::Circle(_)));
                    Ok(Mood::Makes)
                }),
                // Only ever waits.
                _ => world.call(A, &terms, panics_until(1)),
            };
            let gotten = caught(called);
            gotten.map(|gotten| (gotten, circle))
        });
        let panicked = gotten.iter().filter(|got| got.is_none()).count();
        assert_eq!(panicked, 1);
        let mut circles = 0;
        for (gotten, circle) in gotten.into_iter().flatten() {
            circles += usize::from(circle);
            gotten.unwrap();
        }
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
}

#[test]
fn a_waiter_that_is_ahead_of_the_wait_graph_still_closes_no_circle() {
    static REACHED: Reached = Reached::new("a circle after an earlier wait");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| match at {
            0 => (world.call(A, &Terms::default(), makes), None),
            1 => nested(world, B, C),
            // Waits for "a" first, with a deadline that lets it see the ending before it is woken.
            _ => {
                let mut seen = None;
                let mut waited = false;
                let gotten = world.call(C, &Terms::default(), async |_| {
                    let earlier = world.call(A, &Terms::impatient(), makes);
                    waited = earlier.is_ok_and(|got| got.source == Source::Waited);
                    seen = Some(world.call(B, &Terms::default(), makes));
                    Ok(Mood::Makes)
                });
                REACHED.note(waited && is_circle(seen.as_ref()));
                (gotten, seen)
            }
        });
        let circles = gotten.iter().filter(|(_, seen)| is_circle(seen.as_ref()));
        assert!(circles.count() <= 1);
    });
}
