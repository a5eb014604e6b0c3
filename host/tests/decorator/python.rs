//! What dogpile.cache's tests of its decorators show.

use std::time::Duration;

use dogpile::{Expiration, FunctionCall, Region, cached};

use crate::counter::{Counter, QUARTER};
use crate::region_support::TICK;

type Value = (u32, u32, u32);

fn half_a_second() -> Duration {
    2 * QUARTER
}

fn first_argument(call: &FunctionCall<'_>) -> dogpile::Result<String> {
    let first = call.arguments()[0].to_text()?;
    Ok(format!("{}_{first}", call.function()))
}

impl Counter {
    #[cached(region = &self.users, clone)]
    fn go(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, namespace = "x", clone)]
    fn named(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, expiration_time = 0.5, clone)]
    fn half(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, expiration_time = half_a_second, clone)]
    fn asked(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, expiration_time = || Duration::ZERO, clone)]
    fn at_once(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, expiration_time = "1s", clone)]
    fn second(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, function_key_generator = first_argument, clone)]
    fn by_first(&self, a: u32, b: u32) -> Value {
        (self.next(), a, b)
    }

    #[cached(region = &self.users, expiration_time = Expiration::Never)]
    fn sum(&self, x: u32, y: u32) -> u32 {
        self.next() + x + y
    }
}

#[test]
fn a_value_is_created_once_for_its_arguments_and_again_when_it_has_expired() {
    type Go = fn(&Counter, u32, u32) -> Value;
    for go in [Counter::go as Go, Counter::named, Counter::by_first] {
        let (counter, hand) = Counter::quarter();
        assert_eq!(go(&counter, 1, 2), (1, 1, 2));
        assert_eq!(go(&counter, 3, 4), (2, 3, 4));
        assert_eq!(go(&counter, 1, 2), (1, 1, 2));
        hand.advance(QUARTER + TICK);
        assert_eq!(go(&counter, 1, 2), (3, 1, 2));
    }
}

#[test]
fn an_expiration_time_of_the_function_counts_instead_of_the_regions() {
    type Go = fn(&Counter, u32, u32) -> Value;
    for go in [Counter::half as Go, Counter::asked] {
        let (counter, hand) = Counter::quarter();
        assert_eq!(go(&counter, 1, 2), (1, 1, 2));
        assert_eq!(go(&counter, 3, 4), (2, 3, 4));
        hand.advance(QUARTER + TICK);
        assert_eq!(go(&counter, 1, 2), (1, 1, 2));
        hand.advance(QUARTER);
        assert_eq!(go(&counter, 1, 2), (3, 1, 2));
    }
}

#[test]
fn an_expiration_time_of_zero_lets_a_value_live_for_the_moment_of_its_creation() {
    let (counter, hand) = Counter::quarter();
    for run in 1..=3 {
        assert_eq!(counter.at_once(1, 2), (run, 1, 2));
        assert_eq!(counter.at_once(1, 2), (run, 1, 2));
        hand.advance(TICK);
    }
}

#[test]
fn an_invalidated_value_is_created_again() {
    let (counter, _) = Counter::quarter();
    assert_eq!(counter.second(1, 2), (1, 1, 2));
    assert_eq!(counter.second(3, 4), (2, 3, 4));
    counter.second_invalidate(1, 2).unwrap();
    assert_eq!(counter.second(1, 2), (3, 1, 2));
    assert_eq!(counter.second(3, 4), (2, 3, 4));
    counter.second_invalidate(5, 6).unwrap();

    let (counter, _) = Counter::new();
    assert_eq!(*counter.sum(1, 2), 4);
    assert_eq!(*counter.sum(2, 1), 5);
    assert_eq!(*counter.sum(1, 2), 4);
    counter.sum_invalidate(1, 2).unwrap();
    assert_eq!(*counter.sum(1, 2), 6);
}

#[test]
fn a_value_that_is_set_is_the_functions() {
    let (counter, _) = Counter::quarter();
    assert_eq!(counter.second(1, 2), (1, 1, 2));
    counter.second_set((5, 5, 5), 1, 2).unwrap();
    assert_eq!(counter.second(3, 4), (2, 3, 4));
    assert_eq!(counter.second(1, 2), (5, 5, 5));
    counter.second_invalidate(1, 2).unwrap();
    assert_eq!(counter.second(1, 2), (3, 1, 2));
    counter.second_set((0, 0, 0), 1, 3).unwrap();
    assert_eq!(counter.second(1, 3), (0, 0, 0));
}

#[test]
fn get_gives_what_is_stored_and_runs_nothing() {
    let (counter, hand) = Counter::quarter();
    assert_eq!(counter.second(1, 2), (1, 1, 2));
    assert_eq!(counter.second_get(1, 2).unwrap(), Some((1, 1, 2)));
    assert_eq!(counter.second_get(2, 1).unwrap(), None);
    assert_eq!(counter.second(2, 1), (2, 2, 1));
    assert_eq!(counter.second_get(2, 1).unwrap(), Some((2, 2, 1)));
    hand.advance(4 * QUARTER);
    assert_eq!(counter.second_get(2, 1).unwrap(), Some((2, 2, 1)));
    hand.advance(TICK);
    assert_eq!(counter.second_get(2, 1).unwrap(), None);
    assert_eq!(counter.runs(), 2);
}

#[test]
fn refresh_runs_the_function_and_stores_what_it_gives() {
    let (counter, _) = Counter::quarter();
    assert_eq!(counter.second(1, 2), (1, 1, 2));
    assert_eq!(counter.second_refresh(1, 2), (2, 1, 2));
    assert_eq!(counter.second(1, 2), (2, 1, 2));
    assert_eq!(counter.second_refresh(1, 2), (3, 1, 2));
    assert_eq!(counter.second(1, 2), (3, 1, 2));
    assert_eq!(counter.second_refresh(7, 8), (4, 7, 8));
    assert_eq!(counter.second(7, 8), (4, 7, 8));
}

#[test]
fn a_key_generator_of_the_function_decides_which_calls_are_the_same() {
    let (counter, hand) = Counter::quarter();
    assert_eq!(counter.by_first(1, 2), (1, 1, 2));
    assert_eq!(counter.by_first(3, 4), (2, 3, 4));
    assert_eq!(counter.by_first(1, 3), (1, 1, 2));
    assert_eq!(counter.by_first_key(1, 3).unwrap(), "by_first_1");
    hand.advance(QUARTER + TICK);
    assert_eq!(counter.by_first(1, 3), (3, 1, 3));
}

#[test]
fn the_original_runs_without_the_cache() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.go(1, 2), (1, 1, 2));
    assert_eq!(counter.go_original(1, 2), (2, 1, 2));
    assert_eq!(counter.go(1, 2), (1, 1, 2));
}

struct Foo;
struct Bar;

impl Foo {
    #[cached(region = users, skip(users), associated)]
    fn generate(users: &Region, x: u32, y: u32) -> u32 {
        assert!(
            users
                .key_is_locked(Self::generate_key(users, x, y).unwrap())
                .unwrap()
        );
        x + y
    }
}

impl Bar {
    #[cached(region = users, skip(users), associated)]
    fn generate(users: &Region, x: u32, y: u32) -> u32 {
        *Foo::generate(users, x, y) + 1
    }
}

#[test]
fn functions_of_one_name_on_two_types_can_call_each_other() {
    let (counter, _) = Counter::new();
    assert_eq!(*Bar::generate(&counter.users, 1, 2), 4);
    assert_eq!(*Foo::generate(&counter.users, 1, 2), 3);
}

/// The signature is the original's: the same arguments, and a `Cached` in the place of the value.
#[test]
fn the_signature_is_preserved() {
    let call: fn(&Counter, u32, u32) -> dogpile::Cached<u32> = Counter::sum;
    let original: fn(&Counter, u32, u32) -> u32 = Counter::sum_original;
    let cloning: fn(&Counter, u32, u32) -> Value = Counter::go;
    let (counter, _) = Counter::new();
    assert_eq!(*call(&counter, 1, 2), 4);
    assert_eq!(original(&counter, 1, 2), 5);
    assert_eq!(cloning(&counter, 1, 2), (3, 1, 2));
}
