//! Creations that a runner of the program's own gets, of threads and of tasks.

#![forbid(unsafe_code)]

mod region_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use dogpile::{Creation, Region, Source};

use region_support::{SECOND, logs, memory, until_waiting};

/// A call with a background creator, which tells the name of its thread.
fn call(users: &Region, key: &str, value: i32, threads: &Arc<Mutex<Vec<String>>>) -> (i32, Source) {
    let threads = Arc::clone(threads);
    let create = move || {
        let name = thread::current().name().unwrap_or_default().to_owned();
        threads.lock().unwrap().push(name);
        value
    };
    let got = users.entry(key).background(create).get_or_create().unwrap();
    (*got, got.source())
}

/// A region whose background creations are sent to the test.
fn with_runner() -> (Region, dogpile::ManualClock, mpsc::Receiver<Creation>) {
    let (users, hand) = memory();
    let (send, receive) = mpsc::channel();
    users.set_creation_runner(move |creation| send.send(creation).unwrap());
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    (users, hand, receive)
}

#[test]
fn a_runner_runs_a_creation_later_and_elsewhere() {
    let (users, _, creations) = with_runner();
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Stale));
    let creation = creations.recv().unwrap();
    assert_eq!((creation.region(), creation.key()), ("users", "1"));
    // It has the lock until then, and nobody else is asked to create.
    assert!(users.key_is_locked("1").unwrap());
    assert_eq!(call(&users, "1", 3, &threads), (1, Source::Stale));
    assert!(creations.try_recv().is_err());
    let runner = thread::Builder::new().name("the runner's".to_owned());
    runner.spawn(|| creation.run()).unwrap().join().unwrap();
    assert!(!users.key_is_locked("1").unwrap());
    assert_eq!(*threads.lock().unwrap(), ["the runner's"]);
    assert_eq!(call(&users, "1", 4, &threads), (2, Source::Fresh));
}

/// The call of a task with an asynchronous background creator.
fn call_async(users: &Region, value: i32) -> (i32, Source) {
    let entry = users
        .entry("1")
        .background_async(move || async move { value });
    let got = futures_executor::block_on(entry.get_or_create()).unwrap();
    (*got, got.source())
}

#[test]
fn a_runner_gets_the_creations_of_tasks_too_as_futures() {
    let (users, hand, creations) = with_runner();
    assert_eq!(call_async(&users, 2), (1, Source::Stale));
    let creation = creations.recv().unwrap();
    assert!(creation.is_async());
    assert!(users.key_is_locked("1").unwrap());
    futures_executor::block_on(creation.into_future());
    assert_eq!(call_async(&users, 3), (2, Source::Fresh));
    // Without a runtime, on a thread that may block.
    hand.advance(61 * SECOND);
    assert_eq!(call_async(&users, 3), (2, Source::Stale));
    creations.recv().unwrap().run();
    assert_eq!(call_async(&users, 4), (3, Source::Fresh));
    hand.advance(61 * SECOND);
    assert_eq!(call_async(&users, 4), (3, Source::Stale));
    drop(creations.recv().unwrap());
    assert!(!users.key_is_locked("1").unwrap());
    // That of a blocking creator is a future as well.
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "1", 5, &threads), (3, Source::Stale));
    let creation = creations.recv().unwrap();
    assert!(!creation.is_async());
    futures_executor::block_on(creation.into_future());
    assert_eq!(call_async(&users, 6), (5, Source::Fresh));
}

#[test]
fn a_creation_that_is_dropped_frees_its_key() {
    let (users, _, creations) = with_runner();
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Stale));
    drop(creations.recv().unwrap());
    assert!(!users.key_is_locked("1").unwrap());
    assert_eq!(call(&users, "1", 3, &threads), (1, Source::Stale));
    creations.recv().unwrap().run();
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 3);
}

#[test]
fn a_creation_that_is_dropped_goes_to_who_waits_by_then() {
    let (users, hand, creations) = with_runner();
    users.set("put off", 1).unwrap();
    hand.advance(61 * SECOND);
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "put off", 2, &threads), (1, Source::Stale));
    let creation = creations.recv().unwrap();
    // By now it is too stale to be served.
    hand.advance(60 * SECOND);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| users.get_or_create("put off", || 7).unwrap());
        until_waiting("put off", 1);
        drop(creation);
        let got = waiter.join().unwrap();
        assert_eq!((*got, got.source()), (7, Source::Created));
    });
}

#[test]
fn who_has_nothing_to_serve_waits_for_a_creation_that_was_put_off() {
    let (users, hand, creations) = with_runner();
    users.set("awaited", 1).unwrap();
    hand.advance(61 * SECOND);
    let threads = Arc::new(Mutex::new(Vec::new()));
    assert_eq!(call(&users, "awaited", 2, &threads), (1, Source::Stale));
    hand.advance(60 * SECOND);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| users.get_or_create("awaited", || -> i32 { unreachable!() }));
        until_waiting("awaited", 1);
        creations.recv().unwrap().run();
        let got = waiter.join().unwrap().unwrap();
        assert_eq!((*got, got.source()), (2, Source::Waited));
    });
}

#[test]
fn what_another_stored_before_a_put_off_creation_began_is_not_created_again() {
    let (users, _, creations) = with_runner();
    let create = || -> i32 { unreachable!("there is a fresh value by now") };
    let got = users.entry("1").background(create).get_or_create().unwrap();
    assert_eq!(got.source(), Source::Stale);
    users.set("1", 5).unwrap();
    creations.recv().unwrap().run();
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 5);
}

#[test]
fn a_creation_may_outlive_every_handle_but_its_own() {
    let (users, _, creations) = with_runner();
    let threads = Arc::new(Mutex::new(Vec::new()));
    call(&users, "1", 2, &threads);
    drop(users);
    creations.recv().unwrap().run();
    assert_eq!(threads.lock().unwrap().len(), 1);
}

#[test]
fn a_creation_that_falls_over_is_logged_and_its_panic_goes_to_who_runs_it() {
    let (users, _, creations) = with_runner();
    let falls = || -> i32 { panic!("no row {}", 42) };
    drop(users.entry("1").background(falls).get_or_create().unwrap());
    let creation = creations.recv().unwrap();
    let lines = logs::of(|| {
        assert!(catch_unwind(AssertUnwindSafe(|| creation.run())).is_err());
    });
    let line = lines.iter().find(|line| line.level == "WARN");
    let line = line.expect("it is logged");
    assert_eq!(line.message, "a creation in the background failed");
    assert_eq!(line.field("error"), "the creator panicked: no row 42");
    assert_eq!(users.stats().errors, 1);
}

/// The instance on which it was put off is gone: nothing is created in the place of who creates on the new one.
#[test]
fn a_creation_that_begins_after_the_region_was_given_another_instance_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("dogpile.toml");
    let save = |storage: &str| {
        let text = format!(
            "version = 1\n[regions.users]\nbackend = \"memory\"\nexpiration_time = 60\n\
             arguments = {{ storage = \"{storage}\" }}\n"
        );
        std::fs::write(&manifest, text).unwrap();
    };
    save("objects");
    let host = dogpile::Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .manifest(&manifest)
        .watch(false)
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let (send, creations) = mpsc::channel();
    users.set_creation_runner(move |creation: Creation| send.send(creation).unwrap());
    let threads = Arc::new(Mutex::new(Vec::new()));
    users.set("1", 1).unwrap();
    users.invalidate(dogpile::Invalidation::Soft).unwrap();
    assert_eq!(call(&users, "1", 2, &threads), (1, Source::Stale));
    let creation = creations.recv().unwrap();
    save("bytes");
    host.reload().unwrap();
    creation.run();
    assert!(threads.lock().unwrap().is_empty());
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(users.stats().errors, 0);
    // The key is free for who comes next.
    assert_eq!(*users.get_or_create("1", || 3).unwrap(), 3);
}
