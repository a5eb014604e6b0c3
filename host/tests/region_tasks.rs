//! Creations that are put off to tasks of the program's runtime.

#![forbid(unsafe_code)]

mod region_support;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use dogpile::{ManualClock, Region, RegionConfig, Source};
use futures_executor::block_on;

use region_support::{SECOND, TICK, builder};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks that were to be spawned, which run when a test says so.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<Task>>>);

impl Tasks {
    /// Runs all, and gives how many they were.
    fn run(&self) -> usize {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        let count = tasks.len();
        tasks.into_iter().for_each(block_on);
        count
    }
}

/// A region on a host with a spawner.
fn spawning(configure: impl Fn(RegionConfig) -> RegionConfig) -> [(Region, ManualClock, Tasks); 2] {
    ["objects", "bytes"].map(|storage| {
        let tasks = Tasks::default();
        let own = tasks.clone();
        let config = RegionConfig::on("users", "memory").expiration_time(60 * SECOND);
        let (builder, hand) = builder();
        let host = builder
            .spawner(move |task| own.0.lock().unwrap().push(task))
            .region(configure(config.argument("storage", storage)))
            .build()
            .unwrap();
        (host.region("users").unwrap(), hand, tasks)
    })
}

fn call(users: &Region, value: i32) -> (i32, Source) {
    let entry = users.entry("1").background_async(async move || value);
    let got = block_on(entry.get_or_create()).unwrap();
    (*got, got.source())
}

#[test]
fn with_early_refresh_a_task_creates_anew_what_is_still_fresh() {
    for (users, hand, tasks) in spawning(|config| config.early_refresh(0.5)) {
        assert_eq!(call(&users, 1), (1, Source::Created));
        hand.advance(30 * SECOND);
        assert_eq!(call(&users, 2), (1, Source::Fresh));
        assert_eq!(tasks.run(), 0);
        hand.advance(TICK);
        assert_eq!(call(&users, 2), (1, Source::Fresh));
        // It has the key until it has run: no other is put off beside it.
        assert!(users.key_is_locked("1").unwrap());
        assert_eq!(call(&users, 3), (1, Source::Fresh));
        assert_eq!(tasks.run(), 1);
        assert_eq!(call(&users, 4), (2, Source::Fresh));
        assert_eq!((tasks.run(), users.stats().creations), (0, 2));
    }
}

#[test]
fn with_background_refresh_a_task_creates_anew_what_is_stale() {
    for (users, hand, tasks) in spawning(RegionConfig::background_refresh) {
        assert_eq!(call(&users, 1), (1, Source::Created));
        hand.advance(60 * SECOND);
        assert_eq!(call(&users, 2), (1, Source::Fresh));
        assert_eq!(tasks.run(), 0);
        hand.advance(TICK);
        assert_eq!(call(&users, 2), (1, Source::Stale));
        assert_eq!(call(&users, 3), (1, Source::Stale));
        assert_eq!(tasks.run(), 1);
        assert_eq!(call(&users, 4), (2, Source::Fresh));
    }
}

#[test]
fn without_either_no_task_is_spawned_and_the_caller_creates() {
    for (users, hand, tasks) in spawning(|config| config) {
        assert_eq!(call(&users, 1), (1, Source::Created));
        hand.advance(61 * SECOND);
        assert_eq!(call(&users, 2), (2, Source::Created));
        assert_eq!(tasks.run(), 0);
    }
}

#[test]
fn a_task_that_is_dropped_frees_its_key() {
    for (users, hand, tasks) in spawning(RegionConfig::background_refresh) {
        call(&users, 1);
        hand.advance(61 * SECOND);
        assert_eq!(call(&users, 2), (1, Source::Stale));
        assert!(users.key_is_locked("1").unwrap());
        tasks.0.lock().unwrap().clear();
        assert!(!users.key_is_locked("1").unwrap());
        assert_eq!(call(&users, 3), (1, Source::Stale));
        assert_eq!(tasks.run(), 1);
        assert_eq!(call(&users, 4), (3, Source::Fresh));
    }
}
