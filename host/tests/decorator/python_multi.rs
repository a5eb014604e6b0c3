//! What dogpile.cache's tests of its decorator for several keys show.

use std::collections::HashMap;

use dogpile::{Cached, FunctionCall, cached_multi};

use crate::counter::{Counter, QUARTER};
use crate::region_support::TICK;

fn name_and_key(call: &FunctionCall<'_>) -> dogpile::Result<String> {
    let key = call.arguments()[0].to_text()?;
    Ok(format!("{}_{key}", call.function()))
}

impl Counter {
    #[cached_multi(region = &self.users, expiration_time = 1, clone)]
    fn of_keys(&self, keys: &[u32]) -> Vec<String> {
        let run = self.next();
        keys.iter().map(|key| format!("{run} {key}")).collect()
    }

    #[cached_multi(region = &self.users, function_multi_key_generator = name_and_key, clone)]
    fn by_name(&self, keys: &[u32]) -> Vec<String> {
        self.of_keys_original(keys)
    }

    #[cached_multi(region = &self.users, namespace = "foo", clone)]
    fn each(&self, keys: &[u32]) -> Vec<String> {
        keys.iter()
            .map(|key| format!("{key} {}", self.next()))
            .collect()
    }

    #[cached_multi(region = &self.users, clone)]
    fn generate(&self, keys: &[u32]) -> HashMap<u32, String> {
        let keys = keys.iter().filter(|key| **key != 10);
        keys.map(|key| (*key, format!("{key} {}", self.next())))
            .collect()
    }

    #[cached_multi(region = &self.users)]
    fn plain(&self, keys: &[u32]) -> HashMap<u32, String> {
        self.generate_original(keys)
    }

    #[cached_multi(region = &self.users, should_cache = |value| !value.starts_with("8 "), clone)]
    fn without_eight(&self, keys: &[u32]) -> HashMap<u32, String> {
        self.generate_original(keys)
    }
}

fn map<const N: usize>(pairs: [(u32, &str); N]) -> HashMap<u32, String> {
    pairs.map(|(key, value)| (key, value.to_owned())).into()
}

fn all<const N: usize>(values: [&str; N]) -> [Option<String>; N] {
    values.map(|value| Some(value.to_owned()))
}

#[test]
fn get_gives_what_is_stored_in_the_order_of_the_keys() {
    let (counter, hand) = Counter::quarter();
    assert_eq!(counter.of_keys(&[1, 2]), ["1 1", "1 2"]);
    assert_eq!(counter.of_keys_get(&[1, 2]).unwrap(), all(["1 1", "1 2"]));
    assert_eq!(
        counter.of_keys_get(&[3, 1]).unwrap(),
        [None, Some("1 1".into())]
    );
    assert_eq!(counter.of_keys(&[3, 1]), ["2 3", "1 1"]);
    assert_eq!(counter.of_keys_get(&[3, 1]).unwrap(), all(["2 3", "1 1"]));
    hand.advance(4 * QUARTER + TICK);
    assert_eq!(counter.of_keys_get(&[3, 1]).unwrap(), [None, None]);
    assert_eq!(counter.of_keys(&[3, 1]), ["3 3", "3 1"]);
}

#[test]
fn values_that_are_set_are_the_functions() {
    let (counter, _) = Counter::quarter();
    assert_eq!(counter.of_keys(&[1, 2]), ["1 1", "1 2"]);
    counter
        .of_keys_set([(1, "1 5".into()), (2, "1 6".into())])
        .unwrap();
    assert_eq!(counter.of_keys(&[1, 2]), ["1 5", "1 6"]);
    counter
        .of_keys_set(HashMap::from([(3, "3 7".into())]))
        .unwrap();
    assert_eq!(counter.of_keys(&[3, 2]), ["3 7", "1 6"]);
    counter.of_keys_set([]).unwrap();
    assert_eq!(counter.runs(), 1);
}

#[test]
fn refresh_runs_the_function_for_all_keys() {
    let (counter, _) = Counter::quarter();
    assert_eq!(counter.of_keys(&[1, 2]), ["1 1", "1 2"]);
    assert_eq!(counter.of_keys_refresh(&[1, 2]), ["2 1", "2 2"]);
    assert_eq!(counter.of_keys(&[1, 2]), ["2 1", "2 2"]);
    assert_eq!(counter.of_keys_refresh(&[3]), ["3 3"]);
    assert_eq!(counter.of_keys(&[1, 2, 3]), ["2 1", "2 2", "3 3"]);
}

#[test]
fn a_key_generator_of_the_function_makes_the_keys() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.by_name(&[1, 2]), ["1 1", "1 2"]);
    assert_eq!(
        counter.by_name_keys(&[1, 2]).unwrap(),
        ["by_name_1", "by_name_2"]
    );
    assert_eq!(
        *counter.users.get::<String>("by_name_2").unwrap().unwrap(),
        "1 2"
    );
}

#[test]
fn only_missing_keys_are_created() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.each(&[2, 8, 10]), ["2 2", "8 3", "10 1"]);
    assert_eq!(counter.each(&[2, 9, 10]), ["2 2", "9 4", "10 1"]);
    counter.each_invalidate(&[2]).unwrap();
    assert_eq!(counter.each(&[2, 7, 10]), ["2 5", "7 6", "10 1"]);
    counter
        .each_set([(7, "18".into()), (10, "15".into())])
        .unwrap();
    assert_eq!(counter.each(&[2, 7, 10]), ["2 5", "18", "15"]);
    let keys = counter.each_keys(&[2, 10]).unwrap();
    let module = "decorator::counter::Counter";
    assert_eq!(
        keys,
        [
            format!("{module}::each|foo(2)"),
            format!("{module}::each|foo(10)")
        ]
    );
}

#[test]
fn keys_that_a_map_leaves_out_are_not_cached() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.generate(&[2, 8, 10]), map([(2, "2 1"), (8, "8 2")]));
    assert_eq!(counter.generate(&[2, 9, 10]), map([(2, "2 1"), (9, "9 3")]));
    assert_eq!(counter.generate_get(&[10]).unwrap(), [None]);
    counter.generate_invalidate(&[2]).unwrap();
    assert_eq!(counter.generate(&[2, 7, 10]), map([(2, "2 4"), (7, "7 5")]));
    counter.generate_set(map([(7, "18"), (10, "15")])).unwrap();
    let expected = map([(2, "2 4"), (7, "18"), (10, "15")]);
    assert_eq!(counter.generate(&[2, 7, 10]), expected);
    assert_eq!(
        counter.generate_refresh(&[2, 7]),
        map([(2, "2 6"), (7, "7 7")])
    );
    let expected = map([(2, "2 6"), (7, "7 7"), (10, "15")]);
    assert_eq!(counter.generate(&[2, 7, 10]), expected);
}

#[test]
fn a_condition_is_about_each_value() {
    let (counter, _) = Counter::new();
    for run in 2..5 {
        let eight = format!("8 {run}");
        assert_eq!(
            counter.without_eight(&[2, 8, 10]),
            map([(2, "2 1"), (8, &eight)])
        );
    }
    assert_eq!(
        counter.without_eight(&[2, 9]),
        map([(2, "2 1"), (9, "9 5")])
    );
    counter.without_eight_invalidate(&[2]).unwrap();
    assert_eq!(
        counter.without_eight(&[2, 7]),
        map([(2, "2 6"), (7, "7 7")])
    );
    assert_eq!(
        counter.without_eight_refresh(&[8, 7]),
        map([(8, "8 8"), (7, "7 9")])
    );
    assert_eq!(
        counter.without_eight_get(&[8, 7, 10]).unwrap(),
        [None, Some("7 9".into()), None]
    );
    let set = map([(7, "18"), (10, "15")]);
    counter.without_eight_set(set).unwrap();
    assert_eq!(
        counter.without_eight(&[2, 7, 10]),
        map([(2, "2 6"), (7, "18"), (10, "15")])
    );
}

/// The signature is the original's: the same arguments, and a `Cached` in the place of each value.
#[test]
fn the_signature_is_preserved() {
    let call: fn(&Counter, &[u32]) -> HashMap<u32, Cached<String>> = Counter::plain;
    let original: fn(&Counter, &[u32]) -> HashMap<u32, String> = Counter::plain_original;
    let (counter, _) = Counter::new();
    assert_eq!(*call(&counter, &[1])[&1], "1 1");
    assert_eq!(original(&counter, &[1])[&1], "1 2");
}
