//! Creators that are tasks and wait for several things at once, all on one thread.

use crate::executor::{Executor, block_on, both, until, yield_now};
use crate::support::{Gotten, HASH, Store, Table, table};
use crate::task::call_task;
use dogpile_lock::{LockError, Source};
use std::cell::RefCell;

fn is_circle(gotten: &Gotten) -> bool {
    matches!(gotten, Err(LockError::Circle(_)))
}

/// A value that takes some polls.
async fn later(store: &Store) -> Result<u64, String> {
    yield_now().await;
    yield_now().await;
    Ok(store.number())
}

#[test]
fn two_keys_joined_in_one_creator_are_no_circle() {
    let flights = table();
    let [a, b, c] = [(); 3].map(|()| Store::empty());
    let outcome = block_on(call_task(&flights, "a", &a, async || {
        let one = call_task(&flights, "b", &b, || later(&b));
        let other = call_task(&flights, "c", &c, || later(&c));
        let (one, other) = both(one, other).await;
        assert_eq!(one.unwrap().source, Source::Created);
        assert_eq!(other.unwrap().source, Source::Created);
        Ok(a.number())
    }));
    assert_eq!(outcome.unwrap().source, Source::Created);
}

#[test]
fn one_key_joined_with_itself_is_created_once() {
    let flights = table();
    let [a, b] = [(); 2].map(|()| Store::empty());
    let outcome = block_on(call_task(&flights, "a", &a, async || {
        let call = || call_task(&flights, "b", &b, || later(&b));
        let (one, other) = both(call(), call()).await;
        assert_eq!(one.unwrap().source, Source::Created);
        assert_eq!(other.unwrap().source, Source::Waited);
        Ok(a.number())
    }));
    assert_eq!(outcome.unwrap().source, Source::Created);
    assert_eq!(b.creations(), 1);
}

#[test]
fn a_joined_key_whose_creator_asks_for_the_outer_one_is_a_circle_and_the_other_is_not() {
    let flights = table();
    let [a, b, c] = [(); 3].map(|()| Store::empty());
    let outcome = block_on(call_task(&flights, "a", &a, async || {
        let one = call_task(&flights, "b", &b, async || {
            yield_now().await;
            let refused = call_task(&flights, "a", &a, || later(&a)).await;
            let keys = ["a", "b"].map(str::to_owned).to_vec();
            assert_eq!(refused, Err(LockError::Circle(keys)));
            Ok(b.number())
        });
        let other = call_task(&flights, "c", &c, || later(&c));
        let (one, other) = both(one, other).await;
        assert_eq!(one.unwrap().value, 1);
        assert_eq!(other.unwrap().value, 1);
        Ok(a.number())
    }));
    assert_eq!(outcome.unwrap().value, 1);
}

#[test]
fn a_key_wanted_by_the_creator_of_one_joined_beside_it_is_no_circle() {
    let flights = table();
    let [a, b, c] = [(); 3].map(|()| Store::empty());
    let outcome = block_on(call_task(&flights, "a", &a, async || {
        let one = call_task(&flights, "b", &b, async || {
            let inner = call_task(&flights, "c", &c, || later(&c)).await;
            assert!(!is_circle(&inner));
            Ok(b.number())
        });
        let other = call_task(&flights, "c", &c, || later(&c));
        let (one, other) = both(one, other).await;
        assert_eq!(one.unwrap().value, 1);
        assert_eq!(other.unwrap().value, 1);
        Ok(a.number())
    }));
    assert_eq!(outcome.unwrap().value, 1);
    assert_eq!(c.creations(), 1);
}

/// Creates `own`, and asks for `other` when somebody creates that.
async fn crosses(flights: &Table, own: &str, other: &str, circles: &RefCell<u32>) {
    let store = Store::empty();
    let outcome = call_task(flights, own, &store, async || {
        until(|| flights.is_creating(HASH, other)).await;
        let inner = call_task(flights, other, &store, async || Ok(9)).await;
        *circles.borrow_mut() += u32::from(is_circle(&inner));
        Ok(7)
    });
    assert_eq!(outcome.await.unwrap().value, 7);
}

#[test]
fn of_two_tasks_of_one_thread_that_wait_for_each_other_one_gets_an_error() {
    let flights = table();
    let circles = RefCell::new(0);
    let mut executor = Executor::default();
    executor.spawn(crosses(&flights, "a", "b", &circles));
    executor.spawn(crosses(&flights, "b", "a", &circles));
    executor.run();
    drop(executor);
    assert_eq!(circles.into_inner(), 1);
}

#[test]
fn a_call_beside_a_creation_of_the_same_thread_is_not_part_of_it() {
    let flights = table();
    let store = Store::empty();
    let slow = async || {
        until(|| flights.waiting(HASH, "key") == 1).await;
        Ok(store.number())
    };
    let mut executor = Executor::default();
    executor.spawn(async {
        let outcome = call_task(&flights, "key", &store, slow).await;
        assert_eq!(outcome.unwrap().source, Source::Created);
    });
    executor.spawn(async {
        // Polled between two polls of the creator, on its thread: to wait for it is no circle.
        let outcome = call_task(&flights, "key", &store, slow).await;
        assert_eq!(outcome.unwrap().source, Source::Waited);
    });
    executor.run();
}
