//! Several keys in one call.

use crate::check::{Reached, check};
use crate::multi_call::{ManyGotten, makes_all};
use crate::world::{A, B, C, Mood, Store, Terms, World, caught, crowd, makes, panics_until};
use dogpile_lock::{Clock, LockError, Source};
use shuttle::future;

/// The values, of which none was left out.
fn values(gotten: ManyGotten) -> Vec<usize> {
    let gotten = gotten.unwrap().into_iter();
    gotten.map(|got| got.expect("not left out").value).collect()
}

#[test]
fn of_overlapping_sets_each_key_is_created_once() {
    static REACHED: Reached = Reached::new("a call that created one key and waited for another");
    check(&[&REACHED], || {
        let world = World::empty();
        crowd(&world, 4, |world, at| {
            let keys: &[usize] = match at {
                0 => &[A, B],
                1 => &[B, C],
                // Another order than the others'.
                2 => &[C, A],
                _ => &[A, B, C],
            };
            let gotten = world.call_multi(keys, &Terms::default(), makes_all);
            let sources = gotten.clone().unwrap().into_iter().flatten();
            let sources: Vec<_> = sources.map(|got| got.source).collect();
            REACHED.note(sources.contains(&Source::Created) && sources.contains(&Source::Waited));
            assert_eq!(values(gotten), vec![1; keys.len()]);
        });
        for store in &world.stores {
            assert_eq!(store.creations(), 1);
        }
    });
}

#[test]
fn callers_of_one_key_and_of_several_share_creations_on_threads_and_tasks() {
    static REACHED: Reached = Reached::new("a single call that waited for a call for several");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, at| {
            let terms = Terms::default();
            match at {
                0 => Some(world.call(A, &terms, makes).unwrap()),
                1 => Some(future::block_on(world.call_async(B, &terms, makes)).unwrap()),
                _ => {
                    let gotten = world.call_multi(&[A, B], &terms, makes_all);
                    assert_eq!(values(gotten), [1, 1]);
                    None
                }
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(world.stores[B].creations(), 1);
        let mut single = gotten.into_iter().flatten();
        REACHED.note(single.all(|got| got.source == Source::Waited));
    });
}

#[test]
fn a_key_left_out_is_nothing_for_who_asked_for_several_and_created_by_who_asked_for_it() {
    static REACHED: Reached = Reached::new("a wait for a key that was left out");
    check(&[&REACHED], || {
        let world = World::empty();
        crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            if at == 0 {
                assert_eq!(world.call(B, &terms, makes).unwrap().value, 1);
                return;
            }
            let mut begun = 0;
            let gotten = world.call_multi(&[A, B], &terms, async |keys| {
                begun += keys.len();
                Ok(keys
                    .iter()
                    .map(|(key, _)| (*key == A).then_some(Mood::Makes))
                    .collect())
            });
            let gotten = gotten.unwrap();
            assert_eq!(gotten[0].as_ref().unwrap().value, 1);
            REACHED.note(begun == 0 && gotten[1].is_err());
            if let Ok(got) = &gotten[1] {
                assert_ne!(got.source, Source::Created);
                assert_eq!(got.value, 1);
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(*world.stores[B].value.lock().unwrap(), 1);
    });
}

#[test]
fn a_panic_of_a_creator_of_several_hands_over_each_of_them() {
    static REACHED: Reached = Reached::new("a turn that came while another key was waited for");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            // The first creation of "b" panics, whoever's it is.
            let called = || {
                if at == 0 {
                    return world.call(B, &terms, panics_until(1)).map(|got| vec![got]);
                }
                let mut calls = 0;
                let keys = [[A, B], [B, C]][at - 1];
                let gotten = world.call_multi(&keys, &terms, async |keys| {
                    calls += 1;
                    let mood = |key: &(usize, usize)| match key {
                        (B, 1) => Mood::Panics,
                        _ => Mood::Makes,
                    };
                    Ok(keys.iter().map(|key| Some(mood(key))).collect())
                });
                REACHED.note(calls == 2);
                gotten.map(|gotten| gotten.into_iter().flatten().collect())
            };
            caught(called)
        });
        assert_eq!(gotten.iter().filter(|got| got.is_none()).count(), 1);
        for got in gotten.into_iter().flatten() {
            assert!(got.unwrap().iter().all(|got| got.value == 1));
        }
        assert_eq!(world.stores[B].creations(), 2);
    });
}

#[test]
fn a_turn_that_comes_while_its_caller_creates_another_key_goes_to_who_has_time() {
    static REACHED: Reached =
        Reached::new("a creator that waits for the key its own call waits for");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 2, |world, at| {
            let terms = Terms::default();
            if at == 0 {
                return caught(|| world.call(B, &terms, panics_until(1)).map(|_| ()));
            }
            // The creator of "a" needs "b", which its own call waits for beside it.
            let called = || {
                let gotten = world.call_multi(&[A, B], &terms, async |keys| {
                    if keys.iter().all(|(key, _)| *key != B) {
                        let inner = world.call(B, &terms, panics_until(1));
                        REACHED.note(inner.is_ok_and(|got| got.source == Source::Created));
                    }
                    let panics = keys.contains(&(B, 1));
                    let mood = if panics { Mood::Panics } else { Mood::Makes };
                    Ok(vec![Some(mood); keys.len()])
                });
                gotten.map(|_| ())
            };
            caught(called)
        });
        for got in gotten.into_iter().flatten() {
            got.unwrap();
        }
    });
}

#[test]
fn two_creators_of_several_that_wait_for_each_other_end_with_one_error() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        // Each creates what it can of its own, and wants the other's key for it.
        let circles = crowd(&world, 2, |world, at| {
            let (own, other) = [([A, C], B), ([B, C], A)][at];
            let mut circle = false;
            let gotten = world.call_multi(&own, &Terms::default(), async |keys| {
                if keys.iter().any(|(key, _)| *key == own[0]) {
                    let inner = world.call(other, &Terms::default(), makes);
                    circle = matches!(inner, Err(LockError::Circle(_)));
                }
                makes_all(keys).await
            });
            assert_eq!(values(gotten), [1, 1]);
            circle
        });
        let circles = circles.into_iter().filter(|circle| *circle).count();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
}

#[test]
fn one_whose_patience_ends_gives_up_all_it_waits_for() {
    static REACHED: Reached = Reached::new("a time-out after a creation");
    check(&[&REACHED], || {
        let world = World::empty();
        crowd(&world, 3, |world, at| {
            if at == 0 {
                world.call(A, &Terms::default(), makes).unwrap();
                return;
            }
            let mut created = false;
            let gotten = world.call_multi(&[A, B], &Terms::impatient(), async |keys| {
                created = true;
                makes_all(keys).await
            });
            match gotten {
                Ok(gotten) => assert!(gotten.iter().flatten().all(|got| got.value == 1)),
                Err(error) => {
                    assert!(matches!(error, LockError::TimedOut(_)));
                    REACHED.note(created);
                }
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(world.stores[B].creations(), 1);
    });
}

#[test]
fn a_failure_of_several_is_left_alone_key_by_key() {
    static REACHED: Reached = Reached::new("one creator for both keys");
    check(&[&REACHED], || {
        let (clock, _hand) = Clock::manual(1_000);
        let store = || Store::holding(1, 2).good(false, true);
        let world = World::new([store(), store(), store()]);
        let terms = Terms {
            retry: Some(clock),
            ..Terms::default()
        };
        crowd(&world, 3, move |world, _| {
            let mut calls = 0;
            let gotten = world.call_multi(&[A, B], &terms, async |keys| {
                calls += keys.len();
                Err("down".to_owned())
            });
            REACHED.note(calls == 2);
            for got in gotten.unwrap() {
                let got = got.unwrap();
                assert_eq!((got.value, got.source), (1, Source::Stale));
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(world.stores[B].creations(), 1);
    });
}

#[test]
fn an_error_of_one_key_of_several_reaches_nobody_who_waits_for_another() {
    static REACHED: Reached = Reached::new("a turn given up for a key that another waited for");
    static FAILED: Reached = Reached::new("an error given to who waited for the key that failed");
    check(&[&REACHED, &FAILED], || {
        let world = World::empty();
        crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            match at {
                0 => {
                    let terms = Terms {
                        unreadable: Some(B),
                        ..terms
                    };
                    let gotten = world.call_multi(&[A, B], &terms, async |keys| {
                        assert_eq!(keys.len(), 1, "what cannot be read is not created");
                        makes_all(keys).await
                    });
                    let error = LockError::Creation("unreadable".to_owned());
                    assert!(gotten.is_ok() || gotten == Err(error));
                    REACHED.note(gotten.is_err() && world.stores[A].creations() == 0);
                }
                1 => assert_eq!(world.call(A, &terms, makes).unwrap().value, 1),
                _ => match world.call(B, &terms, makes) {
                    Ok(got) => assert_eq!(got.value, 1),
                    Err(error) => {
                        assert_eq!(error, LockError::Creation("unreadable".to_owned()));
                        FAILED.note(true);
                    }
                },
            }
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert!(
            !world
                .flights
                .is_creating(crate::world::HASH, crate::world::KEYS[B])
        );
    });
}
