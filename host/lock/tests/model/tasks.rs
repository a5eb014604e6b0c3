//! Callers that are tasks, beside callers that block.

use crate::check::{Reached, check};
use crate::world::{
    A, B, C, Gotten, Mood, Terms, World, caught, count, crowd, makes, panics_until,
};
use dogpile_lock::{LockError, Source};
use shuttle::future::{block_on, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Makes a value over some time.
async fn takes_its_time(creation: usize) -> Result<Mood, String> {
    yield_now().await;
    yield_now().await;
    makes(creation).await
}

/// Both futures, in turn.
async fn both<S, T>(one: impl Future<Output = S>, other: impl Future<Output = T>) -> (S, T) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(move |context| {
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

/// Notes that a task was woken.
struct Woken {
    waker: Waker,
    woken: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}

/// The future, dropped instead of being polled once more than `polls` times; then `Err`, with whether it had been woken.
async fn cut_short<T>(future: impl Future<Output = T>, polls: usize) -> Result<T, bool> {
    let mut future = Box::pin(future);
    let mut polled = 0;
    let mut last: Option<Arc<Woken>> = None;
    let result = poll_fn(move |context| {
        if polled == polls {
            let woken = last.take();
            return Poll::Ready(Err(
                woken.is_some_and(|own| own.woken.load(Ordering::SeqCst))
            ));
        }
        polled += 1;
        let own = Arc::new(Woken {
            waker: context.waker().clone(),
            woken: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&own));
        last = Some(own);
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => Poll::Pending,
        }
    });
    result.await
}

/// Runs `tasks` tasks and `threads` threads.
fn mixed(world: &Arc<World>, tasks: usize, threads: usize, terms: Terms) -> Vec<Gotten> {
    crowd(world, tasks + threads, move |world, at| {
        if at < tasks {
            block_on(world.call_async(A, &terms, takes_its_time))
        } else {
            world.call(A, &terms, makes)
        }
    })
}

#[test]
fn tasks_and_threads_share_one_creation() {
    static TASK: Reached = Reached::new("three who waited");
    check(&[&TASK], || {
        let world = World::empty();
        let gotten = mixed(&world, 2, 2, Terms::default());
        let gotten: Vec<_> = gotten.into_iter().map(Result::unwrap).collect();
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
        TASK.note(count(&gotten, Source::Waited) == 3);
    });
}

#[test]
fn tasks_and_threads_with_a_stale_value_do_not_wait() {
    static REACHED: Reached = Reached::new("stale values meanwhile");
    check(&[&REACHED], || {
        let world = World::expired();
        let gotten = mixed(&world, 2, 2, Terms::default());
        let gotten: Vec<_> = gotten.into_iter().map(Result::unwrap).collect();
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(count(&gotten, Source::Waited), 0);
        REACHED.note(count(&gotten, Source::Stale) == 3);
    });
}

#[test]
fn a_tasks_patience_is_its_own() {
    static REACHED: Reached = Reached::new("a time-out of a task and one of a thread");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = mixed(&world, 2, 2, Terms::impatient());
        let late = |got: &Gotten| matches!(got, Err(LockError::TimedOut(_)));
        REACHED.note(gotten[..2].iter().any(late) && gotten[2..].iter().any(late));
        assert!(gotten.iter().all(|got| late(got) || got.is_ok()));
        assert_eq!(world.stores[A].creations(), 1);
    });
}

#[test]
fn a_creator_whose_future_is_dropped_hands_over() {
    static AT_WORK: Reached =
        Reached::new("a creator dropped at work, and a waiter that took over");
    check(&[&AT_WORK], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            match at {
                0 => {
                    let call = world.call_async(A, &terms, takes_its_time);
                    block_on(cut_short(call, 2)).ok()
                }
                1 => Some(block_on(world.call_async(A, &terms, takes_its_time))),
                _ => Some(world.call(A, &terms, makes)),
            }
        });
        let creations = world.stores[A].creations();
        assert!(creations <= 2);
        let dropped = gotten[0].is_none();
        let others: Vec<_> = gotten.into_iter().flatten().map(Result::unwrap).collect();
        assert!(others.iter().all(|got| got.value == 1));
        AT_WORK.note(dropped && creations == 2 && count(&others, Source::Waited) == 1);
    });
}

#[test]
fn a_waiter_dropped_after_it_was_chosen_hands_on() {
    static REACHED: Reached = Reached::new("a waiter dropped when it had been chosen");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            match at {
                0 => {
                    let called = || world.call(A, &terms, panics_until(1));
                    caught(called)
                }
                1 => {
                    let call = world.call_async(A, &terms, makes);
                    match block_on(cut_short(call, 1)) {
                        Ok(got) => Some(got),
                        Err(woken) => {
                            // Nothing but the panic wakes before there is a value.
                            let value = *world.stores[A].value.lock().unwrap();
                            REACHED.note(woken && value == 0);
                            None
                        }
                    }
                }
                _ => caught(|| world.call(A, &terms, panics_until(1))),
            }
        });
        for got in gotten.into_iter().flatten() {
            assert_eq!(got.unwrap().value, 1);
        }
        assert!(world.stores[A].creations() <= 2);
    });
}

#[test]
fn a_panic_of_a_task_goes_to_it_and_the_next_takes_over() {
    static REACHED: Reached = Reached::new("a task that took over from a task");
    check(&[&REACHED], || {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, _| {
            let terms = Terms::default();
            caught(|| block_on(world.call_async(A, &terms, panics_until(1))))
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().map(Result::unwrap).collect();
        assert_eq!(gotten.len(), 2);
        assert_eq!(world.stores[A].creations(), 2);
        REACHED.note(count(&gotten, Source::Waited) == 1);
    });
}

/// Calls `outer`, whose creator calls `inner`; whether the inner call saw a circle.
async fn nested(world: &World, outer: usize, inner: usize) -> bool {
    let mut circle = false;
    let terms = Terms::default();
    let gotten = world.call_async(outer, &terms, async |_| {
        let gotten = world.call_async(inner, &terms, takes_its_time).await;
        circle = matches!(gotten, Err(LockError::Circle(_)));
        Ok(Mood::Makes)
    });
    assert_eq!(gotten.await.unwrap().value, 1);
    circle
}

#[test]
fn two_tasks_whose_creators_wait_for_each_other_end_with_one_error() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        let circles = crowd(&world, 2, |world, at| match at {
            0 => block_on(nested(world, A, B)),
            _ => block_on(nested(world, B, A)),
        });
        let circles = circles.into_iter().filter(|circle| *circle).count();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
}

#[test]
fn a_task_and_a_thread_whose_creators_wait_for_each_other_end_with_one_error() {
    static REACHED: Reached = Reached::new("a circle");
    check(&[&REACHED], || {
        let world = World::empty();
        let circles = crowd(&world, 2, |world, at| {
            if at == 0 {
                return block_on(nested(world, A, B));
            }
            let mut circle = false;
            let terms = Terms::default();
            let gotten = world.call(B, &terms, async |_| {
                let gotten = world.call(A, &terms, makes);
                circle = matches!(gotten, Err(LockError::Circle(_)));
                Ok(Mood::Makes)
            });
            assert_eq!(gotten.unwrap().value, 1);
            circle
        });
        let circles = circles.into_iter().filter(|circle| *circle).count();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
}

#[test]
fn two_keys_joined_in_one_creator_are_no_circle() {
    static REACHED: Reached = Reached::new("both keys waited for");
    check(&[&REACHED], || {
        let world = World::empty();
        crowd(&world, 3, |world, at| {
            let terms = Terms::default();
            match at {
                0 => {
                    let gotten = block_on(world.call_async(A, &terms, async |_| {
                        let one = world.call_async(B, &terms, takes_its_time);
                        let other = world.call_async(C, &terms, takes_its_time);
                        let (one, other) = both(one, other).await;
                        let waited = |got: Gotten| got.unwrap().source == Source::Waited;
                        REACHED.note(waited(one) & waited(other));
                        Ok(Mood::Makes)
                    }));
                    gotten.unwrap();
                }
                // Waits for "c" while it creates "b", or the other way round.
                1 => assert!(!block_on(nested(world, B, C))),
                _ => {
                    world.call(C, &terms, makes).unwrap();
                }
            }
        });
    });
}

#[test]
fn a_circle_through_one_of_two_joined_keys_is_found() {
    static REACHED: Reached = Reached::new("a circle through a joined key");
    check(&[&REACHED], || {
        let world = World::empty();
        let circles = crowd(&world, 2, |world, at| {
            if at == 1 {
                return usize::from(block_on(nested(world, C, A)));
            }
            let terms = Terms::default();
            let mut circles = 0;
            let gotten = block_on(world.call_async(A, &terms, async |_| {
                let one = world.call_async(B, &terms, takes_its_time);
                let other = world.call_async(C, &terms, takes_its_time);
                let (one, other) = both(one, other).await;
                assert_eq!(one.unwrap().value, 1);
                circles = usize::from(matches!(other, Err(LockError::Circle(_))));
                Ok(Mood::Makes)
            }));
            gotten.unwrap();
            circles
        });
        let circles: usize = circles.into_iter().sum();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
}

#[test]
fn one_task_with_two_calls_for_a_key_gets_its_value_though_it_drops_the_one_that_creates() {
    static REACHED: Reached = Reached::new("a call that took over from one beside it");
    check(&[&REACHED], || {
        let world = World::empty();
        crowd(&world, 2, |world, at| {
            let terms = Terms::default();
            if at == 1 {
                assert_eq!(world.call(A, &terms, makes).unwrap().value, 1);
                return;
            }
            let dropped = cut_short(world.call_async(A, &terms, takes_its_time), 2);
            let stays = world.call_async(A, &terms, takes_its_time);
            let (dropped, stays) = block_on(both(dropped, stays));
            let stays = stays.unwrap();
            assert_eq!(stays.value, 1);
            REACHED.note(dropped.is_err() && stays.source == Source::Created);
        });
        assert!(world.stores[A].creations() <= 2);
    });
}
