//! Functions of several keys: their keys, errors, further arguments and callers at the same time.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;

use dogpile::{OnBackendError, PythonKeys, cached_multi};

use crate::counter::Counter;
use crate::region_support::{Board, Fault, SECOND, TICK, builder, region, until_waiting};

struct NotSerialisable;

impl Counter {
    #[allow(clippy::needless_pass_by_value, reason = "that is what is tested")]
    #[cached_multi(region = &self.users, skip(unit, text), clone)]
    fn scaled(&self, ids: &[u8], factor: u32, unit: &NotSerialisable, text: String) -> Vec<String> {
        let NotSerialisable = unit;
        let run = self.next();
        let scale = |id: &u8| format!("{run}: {}{text}", u32::from(*id) * factor);
        ids.iter().map(scale).collect()
    }

    #[cached_multi(region = &self.users, clone)]
    fn all_are_odd(&self, ids: &[u32]) -> Result<Vec<u32>, String> {
        let run = self.next();
        match ids.iter().find(|id| **id % 2 == 0) {
            Some(even) => Err(format!("{even} is even, run {run}")),
            None => Ok(vec![run; ids.len()]),
        }
    }

    #[cached_multi(region = &self.users, skip_none)]
    fn some_of(&self, ids: &[u32]) -> BTreeMap<u32, Option<u32>> {
        let run = self.next();
        ids.iter()
            .map(|id| (*id, (*id > 0).then_some(run)))
            .collect()
    }

    #[cached_multi(region = &self.users, key = |id| format!("user:{id}"), clone)]
    fn users_by_id(&self, ids: &[u32]) -> Vec<u32> {
        vec![self.next(); ids.len()]
    }

    #[cached_multi(region = &self.users, expiration_time = "5s", clone)]
    fn briefly(&self, ids: &[u32]) -> Vec<u32> {
        vec![self.next(); ids.len()]
    }

    #[cached_multi(region = &self.users, clone)]
    fn one_for_all(&self, _ids: &[u32]) -> Vec<u32> {
        vec![self.next()]
    }

    #[cached_multi(region = &self.users, clone)]
    fn slow(&self, ids: &[u32]) -> Vec<u32> {
        for key in self.slow_keys(ids).unwrap() {
            until_waiting(&key, 1);
        }
        vec![self.next(); ids.len()]
    }
}

impl Counter {
    fn scale(&self, ids: &[u8], factor: u32) -> Vec<String> {
        self.scaled(ids, factor, &NotSerialisable, "m".into())
    }
}

#[test]
fn further_arguments_are_part_of_each_key_unless_they_are_skipped() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.scale(&[1, 2], 10), ["1: 10m", "1: 20m"]);
    assert_eq!(
        counter.scale(&[2, 3, 2], 10),
        ["1: 20m", "2: 30m", "1: 20m"]
    );
    assert_eq!(counter.scale(&[2], 100), ["3: 200m"]);
    assert_eq!(counter.scale(&[], 100), Vec::<String>::new());
    assert_eq!(counter.runs(), 3);
    let keys = counter
        .scaled_keys(&[1, 2], 10, &NotSerialisable, String::new())
        .unwrap();
    let path = "decorator::counter::Counter::scaled";
    assert_eq!(keys, [format!("{path}(1,10)"), format!("{path}(2,10)")]);
    counter
        .scaled_set([(1, "set".into())], 10, &NotSerialisable, String::new())
        .unwrap();
    assert_eq!(counter.scale(&[1], 10), ["set"]);
}

#[test]
fn an_error_is_that_of_the_call_and_nothing_is_cached() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.all_are_odd(&[1, 3]), Ok(vec![1, 1]));
    assert_eq!(
        counter.all_are_odd(&[1, 2, 5]),
        Err("2 is even, run 2".into())
    );
    assert_eq!(
        counter.all_are_odd_get(&[1, 2, 5]).unwrap(),
        [Some(1), None, None]
    );
    assert_eq!(
        counter.all_are_odd_refresh(&[1, 2]),
        Err("2 is even, run 3".into())
    );
    assert_eq!(counter.all_are_odd_refresh(&[1, 5]), Ok(vec![4, 4]));
    assert_eq!(counter.all_are_odd(&[1, 3, 5]), Ok(vec![4, 1, 4]));
}

#[test]
fn none_is_not_stored_if_it_is_skipped() {
    let (counter, _) = Counter::new();
    let run = |run| BTreeMap::from([(0, None), (1, Some(run))]);
    let plain = |values: BTreeMap<u32, dogpile::Cached<Option<u32>>>| {
        values
            .into_iter()
            .map(|(id, value)| (id, *value))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(plain(counter.some_of(&[0, 1])), run(1));
    assert_eq!(plain(counter.some_of(&[0, 1])), run(1));
    assert_eq!(counter.runs(), 2);
}

#[test]
fn the_keys_can_be_ones_own_or_those_of_the_region() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.users_by_id(&[7, 8]), [1, 1]);
    assert_eq!(
        counter.users.get::<u32>("user:8").unwrap().as_deref(),
        Some(&1)
    );

    let keys = PythonKeys::function().module("myapp.tools");
    counter.users.set_function_multi_key_generator(keys);
    assert_eq!(
        counter.all_are_odd_keys(&[1, 2]).unwrap(),
        ["myapp.tools:all_are_odd|1", "myapp.tools:all_are_odd|2"]
    );
    assert_eq!(counter.users_by_id_keys(&[1]).unwrap(), ["user:1"]);
}

#[test]
fn a_list_of_another_length_panics_rather_than_to_mix_values_up() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.one_for_all(&[1]), [1]);
    let call = AssertUnwindSafe(|| counter.one_for_all(&[2, 3]));
    let panic = catch_unwind(call).unwrap_err();
    assert_eq!(
        *panic.downcast::<String>().unwrap(),
        "a function that is cached for each of 2 keys returned 1 values: it must return one for each, in their order; \
         return a map if there may be none for some"
    );
    assert_eq!(counter.one_for_all(&[4]), [3]);
}

#[test]
fn a_cache_that_fails_lets_the_function_run_for_all_keys() {
    let failing = Board::new("decorated multi");
    let config = failing.objects().on_backend_error(OnBackendError::Fail);
    let (counter, _) = Counter::on(region(config));
    for method in [
        "get_multi",
        "get_multi_fresh",
        "get_fresh",
        "set",
        "set_multi",
        "set_guarded_multi",
        "delete_multi",
    ] {
        failing.fault(method, Some(Fault::Fail));
    }
    // What is created meanwhile is held in the process for a second.
    assert_eq!(counter.all_are_odd(&[1, 3]), Ok(vec![1, 1]));
    assert_eq!(counter.all_are_odd(&[1, 3, 5]), Ok(vec![1, 1, 2]));
    assert_eq!(counter.all_are_odd_refresh(&[1, 3]), Ok(vec![3, 3]));
    assert!(counter.all_are_odd_set([(1, 1)]).is_err());

    let (builder, hand) = builder();
    let host = builder.build().unwrap();
    let (counter, _) = Counter::on((host.declare("later"), hand));
    assert_eq!(counter.all_are_odd(&[1, 3]), Ok(vec![1, 1]));
    assert_eq!(counter.all_are_odd_refresh(&[1, 3]), Ok(vec![2, 2]));
    assert_eq!(counter.all_are_odd(&[2]), Err("2 is even, run 3".into()));
    assert!(counter.all_are_odd_get(&[1]).is_err());
}

#[test]
fn callers_of_the_same_keys_at_once_are_one_run() {
    let counter = Arc::new(Counter::new().0);
    let start = Arc::new(Barrier::new(2));
    let threads = [[1, 2], [2, 1]].map(|ids| {
        let (counter, start) = (Arc::clone(&counter), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            counter.slow(&ids)
        })
    });
    for thread in threads {
        assert_eq!(thread.join().unwrap(), [1, 1]);
    }
    assert_eq!(counter.runs(), 1);
}

#[test]
fn an_expiration_time_of_the_function_counts_for_each_key() {
    let (counter, hand) = Counter::new();
    assert_eq!(counter.briefly(&[1, 2]), [1, 1]);
    hand.advance(5 * SECOND);
    assert_eq!(counter.briefly(&[1, 2]), [1, 1]);
    hand.advance(TICK);
    assert_eq!(counter.briefly_get(&[1]).unwrap(), [None]);
    assert_eq!(counter.briefly(&[2, 3]), [2, 2]);
}
