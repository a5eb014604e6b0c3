//! The refresh of functions of several keys, beside creations of some of them.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, mpsc};
use std::thread;

use dogpile::cached_multi;
use futures_executor::block_on;

use crate::counter::Counter;
use crate::region_support::until_waiting;

/// Its first run says that it has begun, waits until it may end, and leaves out the keys from 90 up.
struct Gate {
    counter: Counter,
    begun: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    /// And what tells that the first run has begun, and what lets it end.
    fn new() -> (Self, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let gate = Self {
            counter: Counter::new().0,
            begun,
            go_on: Mutex::new(may_go_on),
        };
        (gate, has_begun, go_on)
    }

    fn run(&self, ids: &[u32]) -> HashMap<u32, u32> {
        let run = self.counter.next();
        if run == 1 {
            self.begun.send(()).unwrap();
            // Whoever waits for this goes on if the test has failed.
            let _told = self.go_on.lock().unwrap().recv();
        }
        let ids = ids.iter().filter(|id| run > 1 || **id < 90);
        ids.map(|id| (*id, run)).collect()
    }

    #[cached_multi(region = &self.counter.users, should_cache = |run| *run < 9, clone)]
    fn load(&self, ids: &[u32]) -> HashMap<u32, u32> {
        self.run(ids)
    }

    /// Its first run fails.
    #[cached_multi(region = &self.counter.users, clone)]
    fn try_load(&self, ids: &[u32]) -> Result<HashMap<u32, u32>, String> {
        let made = self.run(ids);
        if made.values().any(|run| *run == 1) {
            return Err("old trouble".to_owned());
        }
        Ok(made)
    }

    #[cached_multi(region = &self.counter.users, clone)]
    async fn load_later(&self, ids: &[u32]) -> HashMap<u32, u32> {
        ready(self.run(ids)).await
    }
}

#[test]
fn what_began_before_the_refresh_is_waited_for_and_does_not_replace_the_new_value() {
    let (gate, has_begun, go_on) = Gate::new();
    let key = &gate.load_keys(&[1]).unwrap()[0];
    thread::scope(|scope| {
        let older = scope.spawn(|| gate.load(&[1]));
        has_begun.recv().unwrap();
        let refresh = scope.spawn(|| gate.load_refresh(&[2, 1, 2]));
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert_eq!(older.join().unwrap(), [(1, 1)].into());
        // What nobody was creating was first.
        assert_eq!(refresh.join().unwrap(), [(1, 3), (2, 2)].into());
    });
    assert_eq!(gate.load_get(&[1, 2]).unwrap(), [Some(3), Some(2)]);
    assert_eq!(gate.counter.runs(), 3);
}

#[test]
fn what_began_before_an_asynchronous_refresh_does_not_replace_the_new_value() {
    let (gate, has_begun, go_on) = Gate::new();
    let key = &gate.load_later_keys(&[1]).unwrap()[0];
    thread::scope(|scope| {
        let older = scope.spawn(|| block_on(gate.load_later(&[1])));
        has_begun.recv().unwrap();
        let refresh = scope.spawn(|| block_on(gate.load_later_refresh(&[2, 1, 2])));
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert_eq!(older.join().unwrap(), [(1, 1)].into());
        assert_eq!(refresh.join().unwrap(), [(1, 3), (2, 2)].into());
    });
    let stored = block_on(gate.load_later_get(&[1, 2]));
    assert_eq!(stored.unwrap(), [Some(3), Some(2)]);
    assert_eq!(gate.counter.runs(), 3);
}

#[test]
fn the_error_of_an_older_creation_does_not_end_a_refresh() {
    let (gate, has_begun, go_on) = Gate::new();
    let key = &gate.try_load_keys(&[1]).unwrap()[0];
    thread::scope(|scope| {
        let older = scope.spawn(|| gate.try_load(&[1]));
        has_begun.recv().unwrap();
        let refresh = scope.spawn(|| gate.try_load_refresh(&[1]));
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert_eq!(older.join().unwrap().unwrap_err(), "old trouble");
        assert_eq!(refresh.join().unwrap().unwrap(), [(1, 2)].into());
    });
}

#[test]
fn a_key_that_an_older_creator_leaves_out_is_created_by_the_refresh() {
    let (gate, has_begun, go_on) = Gate::new();
    let key = &gate.load_keys(&[90]).unwrap()[0];
    thread::scope(|scope| {
        let older = scope.spawn(|| gate.load(&[90]));
        has_begun.recv().unwrap();
        let refresh = scope.spawn(|| gate.load_refresh(&[90]));
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert_eq!(older.join().unwrap(), [].into());
        assert_eq!(refresh.join().unwrap(), [(90, 2)].into());
    });
    assert_eq!(gate.load_get(&[90]).unwrap(), [Some(2)]);
}

#[test]
fn what_a_refresh_is_not_to_store_leaves_what_is_stored() {
    let (gate, _has_begun, go_on) = Gate::new();
    go_on.send(()).unwrap();
    for run in 1..=9 {
        assert_eq!(gate.load_refresh(&[3]), [(3, run)].into());
    }
    assert_eq!(gate.load_get(&[3]).unwrap(), [Some(8)]);
}
