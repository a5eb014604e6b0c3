//! Functions that run in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use dogpile::{Cached, Creation, Region, RegionConfig, Source, cached};

use crate::counter::Counter;
use crate::region_support::{Board, Fault, SECOND, TICK, builder, memory, region, until};

/// The place of a count, and on which threads it was counted.
#[derive(Default)]
struct Threads(Mutex<Vec<String>>);

impl Threads {
    fn note(&self) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(name);
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[cached(region = &counter.users, skip(counter, threads), background)]
fn count(counter: Arc<Counter>, threads: Arc<Threads>, _id: u32) -> u32 {
    threads.note();
    counter.next()
}

/// The first run gives a value, the second an error, and so on.
#[cached(region = &counter.users, skip(counter), background, clone, cache_err = "10s")]
fn every_other(counter: Arc<Counter>, _id: u32) -> Result<u32, String> {
    let run = counter.next();
    if run % 2 == 1 {
        Ok(run)
    } else {
        Err(format!("run {run}"))
    }
}

#[cached(region = &counter.users, skip(counter), background)]
fn falls_over_later(counter: Arc<Counter>, _id: u32) -> u32 {
    first_only(counter.next())
}

/// Every run but the first falls over.
fn first_only(run: u32) -> u32 {
    assert_eq!(run, 1, "it falls over");
    run
}

impl Counter {
    #[cached(region = &self.users, background)]
    async fn falls_over_later(self: Arc<Self>, _id: u32) -> u32 {
        first_only(self.next())
    }

    #[cached(region = &self.users, background, should_cache = |run: &u32| *run < 3)]
    async fn put_off(self: Arc<Self>, _id: u32) -> u32 {
        self.next()
    }

    #[cached(region = self.users.clone(), background)]
    async fn try_put_off(self: Arc<Self>, id: u32) -> Result<u32, String> {
        if id > 0 {
            Ok(self.next())
        } else {
            Err(format!("run {}", self.next()))
        }
    }
}

fn minute() -> RegionConfig {
    RegionConfig::on("users", "memory").expiration_time(60 * SECOND)
}

fn until_refreshed(users: &Region, key: &str) {
    until(|| !users.key_is_locked(key).unwrap());
}

fn of(cached: &Cached<u32>) -> (u32, Source) {
    (**cached, cached.source())
}

#[test]
fn a_stale_value_is_served_while_the_function_runs_on_the_pool() {
    let (counter, hand) = Counter::on(region(minute().background_refresh()));
    let (counter, threads) = (Arc::new(counter), Arc::new(Threads::default()));
    let call = || count(Arc::clone(&counter), Arc::clone(&threads), 1);
    let key = count::key(Arc::clone(&counter), Arc::clone(&threads), 1).unwrap();
    assert_eq!(of(&call()), (1, Source::Created));
    hand.advance(60 * SECOND + TICK);
    assert_eq!(of(&call()), (1, Source::Stale));
    until_refreshed(&counter.users, &key);
    assert_eq!(of(&call()), (2, Source::Fresh));
    let own = thread::current().name().unwrap().to_owned();
    assert_eq!(threads.names(), [&*own, "dogpile-refresh"]);
    // A refresh is asked for, and runs here.
    let refreshed = count::refresh(Arc::clone(&counter), Arc::clone(&threads), 1);
    assert_eq!(of(&refreshed), (3, Source::Created));
    assert_eq!(threads.names()[2], own);
}

#[test]
fn a_creation_runner_gets_the_run() {
    let (users, hand) = memory();
    let queue: Arc<Mutex<Vec<Creation>>> = Arc::default();
    let queued = Arc::clone(&queue);
    users.set_creation_runner(move |creation| queued.lock().unwrap().push(creation));
    let (counter, threads) = (Counter::on((users, hand)), Arc::new(Threads::default()));
    let (counter, hand) = (Arc::new(counter.0), counter.1);
    let call = || count(Arc::clone(&counter), Arc::clone(&threads), 1);
    assert_eq!(of(&call()), (1, Source::Created));
    hand.advance(61 * SECOND);
    assert_eq!(of(&call()), (1, Source::Stale));
    assert_eq!(of(&call()), (1, Source::Stale));
    let creation = queue.lock().unwrap().pop().unwrap();
    assert!(queue.lock().unwrap().is_empty());
    assert!(creation.key().ends_with("count(1)"), "{creation:?}");
    let elsewhere = thread::Builder::new().name("elsewhere".into());
    elsewhere.spawn(|| creation.run()).unwrap().join().unwrap();
    assert_eq!(of(&call()), (2, Source::Fresh));
    assert_eq!(threads.names()[1], "elsewhere");
}

#[test]
fn an_error_in_the_background_is_kept_and_a_later_call_gets_it() {
    let (counter, hand) = Counter::on(region(minute().background_refresh()));
    let counter = Arc::new(counter);
    let call = || every_other(Arc::clone(&counter), 1);
    let key = every_other::key(Arc::clone(&counter), 1).unwrap();
    assert_eq!(call(), Ok(1));
    hand.advance(61 * SECOND);
    assert_eq!(call(), Ok(1));
    until_refreshed(&counter.users, &key);
    assert_eq!(counter.runs(), 2);
    // Too stale to be served, while the error counts.
    hand.advance(5 * SECOND);
    every_other::set(7, Arc::clone(&counter), 2).unwrap();
    counter.users.delete(&key).unwrap();
    assert_eq!(call(), Err("run 2".to_owned()));
    assert_eq!(counter.runs(), 2);
    hand.advance(6 * SECOND);
    assert_eq!(call(), Ok(3));
}

#[test]
fn an_asynchronous_function_becomes_a_task_of_the_programs_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
    let spawned = Arc::clone(&tasks);
    let (builder, hand) = builder();
    let host = builder
        .spawner(move |task| spawned.lock().unwrap().push(task))
        .region(minute().background_refresh())
        .build()
        .unwrap();
    let (counter, hand) = Counter::on((host.region("users").unwrap(), hand));
    let counter = Arc::new(counter);
    runtime.block_on(async {
        let call = || Arc::clone(&counter).put_off(1);
        assert_eq!(of(&call().await), (1, Source::Created));
        hand.advance(61 * SECOND);
        assert_eq!(of(&call().await), (1, Source::Stale));
        assert_eq!(counter.runs(), 1);
        let task = tasks.lock().unwrap().pop().unwrap();
        task.await;
        assert_eq!(of(&call().await), (2, Source::Fresh));
        // The third is not to be cached.
        hand.advance(61 * SECOND);
        assert_eq!(of(&call().await), (2, Source::Stale));
        let task = tasks.lock().unwrap().pop().unwrap();
        task.await;
        assert_eq!(counter.runs(), 3);
        assert_eq!(of(&call().await), (2, Source::Stale));
        let fails = Arc::clone(&counter).try_put_off(0).await;
        assert_eq!(fails.unwrap_err(), "run 4");
        assert_eq!(*Arc::clone(&counter).try_put_off(1).await.unwrap(), 5);
    });
    tasks.lock().unwrap().clear();
}

#[test]
fn a_function_that_falls_over_in_the_background_is_left_alone_for_a_while() {
    let (counter, hand) = Counter::on(region(minute().background_refresh()));
    let counter = Arc::new(counter);
    let call = || falls_over_later(Arc::clone(&counter), 1);
    let key = falls_over_later::key(Arc::clone(&counter), 1).unwrap();
    assert_eq!(of(&call()), (1, Source::Created));
    hand.advance(61 * SECOND);
    for _ in 0..5 {
        assert_eq!(of(&call()), (1, Source::Stale));
        until_refreshed(&counter.users, &key);
    }
    assert_eq!(counter.runs(), 2);
    until(|| counter.users.stats().errors == 1);
    hand.advance(SECOND);
    assert_eq!(of(&call()), (1, Source::Stale));
    until_refreshed(&counter.users, &key);
    assert_eq!(counter.runs(), 3);
}

#[test]
fn an_asynchronous_function_that_falls_over_in_the_background_is_left_alone_for_a_while() {
    let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
    let spawned = Arc::clone(&tasks);
    let (builder, hand) = builder();
    let host = builder
        .spawner(move |task| spawned.lock().unwrap().push(task))
        .region(minute().background_refresh())
        .build()
        .unwrap();
    let (counter, hand) = Counter::on((host.region("users").unwrap(), hand));
    let counter = Arc::new(counter);
    let call = || futures_executor::block_on(Arc::clone(&counter).falls_over_later(1));
    assert_eq!(of(&call()), (1, Source::Created));
    hand.advance(61 * SECOND);
    for runs in 2..=3 {
        assert_eq!(of(&call()), (1, Source::Stale));
        let task = tasks.lock().unwrap().pop().expect("it is put off");
        let run = || futures_executor::block_on(task);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(of(&call()), (1, Source::Stale));
        assert!(tasks.lock().unwrap().is_empty());
        assert_eq!(counter.runs(), runs);
        hand.advance(SECOND);
    }
}

#[test]
fn a_cache_that_fails_lets_it_run() {
    let board = Board::new("background functions");
    let (counter, _) = Counter::on(region(board.objects()));
    let counter = Arc::new(counter);
    let threads = Arc::new(Threads::default());
    for method in ["get", "get_fresh", "set"] {
        board.fault(method, Some(Fault::Fail));
    }
    let got = count(Arc::clone(&counter), Arc::clone(&threads), 1);
    assert_eq!(*got, 1);
    let (builder, hand) = builder();
    let host = builder.build().unwrap();
    let counter = Arc::new(Counter::on((host.declare("unconfigured"), hand)).0);
    let got = count(Arc::clone(&counter), Arc::clone(&threads), 1);
    assert_eq!(*got, 1);
    let got = futures_executor::block_on(Arc::clone(&counter).try_put_off(1));
    assert_eq!(*got.unwrap(), 2);
}

/// What a runtime with several threads asks of a task.
fn may_be_spawned<T: Send>(future: T) -> T {
    future
}

#[test]
fn the_futures_of_functions_in_the_background_may_be_spawned() {
    let counter = Arc::new(Counter::new().0);
    let call = may_be_spawned(Arc::clone(&counter).put_off(1));
    assert_eq!(*futures_executor::block_on(call), 1);
    let call = may_be_spawned(Arc::clone(&counter).try_put_off(1));
    assert_eq!(*futures_executor::block_on(call).unwrap(), 2);
    let refresh = may_be_spawned(Arc::clone(&counter).put_off_refresh(1));
    assert_eq!(*futures_executor::block_on(refresh), 3);
}
