//! Regions and tasks: on runtimes of one and of several threads, on none, and beside callers that block.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use dogpile::{Cached, ErrorKind, Expiration, MissReason, Region, RegionConfig, Source};
use futures_util::future::{join, join_all};
use tokio::runtime::{Builder, Runtime};

use region_support::{
    Board, SECOND, all_misses, let_others_run, memory, region, until, until_it, until_waiting,
    unwanted,
};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn four_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4).enable_time().build().unwrap()
}

/// Backends of which some block and some do not, with mutexes and without.
fn configs(name: &str) -> [RegionConfig; 4] {
    [
        RegionConfig::on("users", "memory"),
        RegionConfig::on("users", "memory").argument("storage", "bytes"),
        Board::new(&format!("{name} blocks")).objects(),
        Board::new(&format!("{name} inline"))
            .bytes()
            .argument("inline", true),
    ]
}

/// Runs `tasks` calls for one key as tasks of the runtime, each of which lets others run while it creates.
fn stampede(runtime: &Runtime, users: &Region, tasks: usize) {
    let created = Arc::new(AtomicU32::new(0));
    let calls = (0..tasks).map(|_| {
        let (users, created) = (users.clone(), Arc::clone(&created));
        async move {
            let create = || async {
                let_others_run().await;
                created.fetch_add(1, Ordering::SeqCst) + 1
            };
            users.get_or_create_async("stampede", create).await.unwrap()
        }
    });
    let got = runtime.block_on(join_all(calls.map(|call| runtime.spawn(call))));
    assert!(got.into_iter().all(|value| *value.unwrap() == 1));
    assert_eq!(created.load(Ordering::SeqCst), 1);
    let stats = users.stats();
    assert_eq!((stats.creations, stats.errors), (1, 0));
}

#[test]
fn a_thousand_tasks_on_one_thread_that_want_one_key_create_it_once() {
    for config in configs("thousand") {
        stampede(&one_thread(), &region(config).0, 1_000);
    }
}

#[test]
fn tasks_on_several_threads_that_want_one_key_create_it_once() {
    for config in configs("several") {
        stampede(&four_threads(), &region(config).0, 200);
    }
}

#[test]
fn no_runtime_is_needed() {
    for config in configs("bare") {
        let (users, _) = region(config.lock_wait(60 * SECOND));
        let created = AtomicU32::new(0);
        let call = |key: &'static str| {
            let create = || async {
                let_others_run().await;
                created.fetch_add(1, Ordering::SeqCst);
                key.len()
            };
            users.get_or_create_async(key, create)
        };
        let calls = join_all(["a", "bb", "a", "bb", "a"].map(call));
        let got = futures_executor::block_on(calls);
        let got: Vec<_> = got.into_iter().map(|value| *value.unwrap()).collect();
        assert_eq!(got, [1, 2, 1, 2, 1]);
        assert_eq!(created.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_task_waits_for_a_thread_that_creates() {
    for (at, config) in configs("thread first").into_iter().enumerate() {
        let key = format!("thread first {at}");
        let (users, _) = region(config);
        thread::scope(|scope| {
            let creator = scope.spawn(|| users.get_or_create(&key, || until_waiting(&key, 2)));
            until(|| users.key_is_locked(&key).unwrap());
            let call = || users.get_or_create_async(&key, unwanted::<()>);
            let (one, other) = one_thread().block_on(join(call(), call()));
            assert_eq!(one.unwrap().source(), Source::Waited);
            assert_eq!(other.unwrap().source(), Source::Waited);
            assert_eq!(creator.join().unwrap().unwrap().source(), Source::Created);
        });
    }
}

#[test]
fn a_thread_waits_for_a_task_that_creates() {
    for (at, config) in configs("task first").into_iter().enumerate() {
        let key = &*format!("task first {at}");
        let (users, _) = region(config);
        let (creating, is_creating) = mpsc::channel();
        thread::scope(|scope| {
            let users = &users;
            let waiter = scope.spawn(move || {
                is_creating.recv().unwrap();
                users.get_or_create(key, || -> i32 { unreachable!() })
            });
            let create = || async {
                creating.send(()).unwrap();
                until_waiting(key, 1);
                7
            };
            let made = one_thread().block_on(users.get_or_create_async(key, create));
            assert_eq!(made.unwrap().source(), Source::Created);
            let got = waiter.join().unwrap().unwrap();
            assert_eq!((*got, got.source()), (7, Source::Waited));
        });
    }
}

/// Where each call of the backend was made.
fn threads_of_calls(board: &Board) -> Arc<Mutex<Vec<(String, String)>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    board.hook(move |call| {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        noted.lock().unwrap().push((call.to_owned(), thread));
    });
    seen
}

/// Every call that a region makes for a task.
async fn all_calls(users: &Region) {
    let create = |missing: Vec<&'static str>| async move {
        missing.into_iter().map(|key| (key, 1)).collect::<Vec<_>>()
    };
    users
        .get_or_create_async("a", || async { 1 })
        .await
        .unwrap();
    users.refresh_async("a", || async { 2 }).await.unwrap();
    users.set_async("b", 2).await.unwrap();
    users.get_async::<i32>("b").await.unwrap().unwrap();
    users.get_multi_async::<i32, _>(&["a", "b"]).await.unwrap();
    users.set_multi_async([("c", 1), ("d", 2)]).await.unwrap();
    users
        .get_or_create_multi_async(&["c", "e"], create)
        .await
        .unwrap();
    users.delete_async("a").await.unwrap();
    users.delete_multi_async(&["b", "c"]).await.unwrap();
    let failed = users.try_get_or_create_async("f", || async { Err::<i32, _>("no row") });
    assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Creator);
}

const METHODS: [&str; 10] = [
    "get",
    "get_fresh",
    "set",
    "delete",
    "get_multi",
    "get_multi_fresh",
    "set_multi",
    "set_guarded_multi",
    "delete_multi",
    "try_acquire",
];

#[test]
fn a_backend_that_blocks_is_never_called_on_the_runtimes_thread() {
    for alone in [false, true] {
        let board = Board::new(&format!("off the runtime {alone}"));
        let (users, _) = region(board.objects().argument("alone", alone));
        let seen = threads_of_calls(&board);
        one_thread().block_on(all_calls(&users));
        let seen = seen.lock().unwrap();
        for (call, thread) in &*seen {
            assert_eq!(thread, "dogpile-call", "{call}");
        }
        for method in METHODS {
            let called = seen
                .iter()
                .any(|(call, _)| call.split(' ').next() == Some(method));
            let guarded = ["try_acquire", "set_guarded_multi"].contains(&method);
            assert!(called || (alone && guarded), "{method}: {seen:?}");
        }
    }
}

#[test]
fn a_backend_that_does_not_block_is_called_in_line() {
    let board = Board::new("in line");
    let (users, _) = region(board.objects().argument("inline", true));
    let seen = threads_of_calls(&board);
    one_thread().block_on(all_calls(&users));
    let own = thread::current().name().unwrap().to_owned();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > METHODS.len());
    for (call, thread) in &*seen {
        assert_eq!(*thread, own, "{call}");
    }
}

#[test]
fn backends_that_block_are_called_by_many_threads_at_once() {
    const CALLS: u32 = 32;
    let board = Board::new("at once");
    let (users, _) = region(board.objects());
    let at_work = Arc::new(AtomicU32::new(0));
    let entered = Arc::clone(&at_work);
    board.hook(move |call| {
        if call.starts_with("get ") {
            entered.fetch_add(1, Ordering::SeqCst);
            // Until all are inside.
            let all = || entered.load(Ordering::SeqCst) == CALLS;
            until_it(all, || {
                format!("{CALLS} calls at once: {}", entered.load(Ordering::SeqCst))
            });
        }
    });
    let calls = (0..CALLS).map(|key| users.get_async::<i32>(key.to_string()));
    let got = one_thread().block_on(join_all(calls));
    assert!(got.into_iter().all(|found| found.unwrap().is_none()));
    // A call that waited in vain has panicked, which is the backend's affair.
    assert_eq!(all_misses(&users), [(MissReason::Absent, CALLS.into())]);
}

#[test]
fn stores_go_through_while_more_keys_than_the_pool_has_threads_are_waited_for() {
    const KEYS: u32 = 200;
    let board = Board::new("starving");
    let (users, _) = region(board.objects());
    (0..KEYS).for_each(|key| board.lock_key(&key.to_string()));
    let runtime = one_thread();
    let all_done = runtime.block_on(async {
        let waiters = (0..KEYS).map(|key| {
            let users = users.clone();
            tokio::spawn(async move {
                let key = key.to_string();
                users
                    .get_or_create_async(&key, || async { 1 })
                    .await
                    .unwrap()
            })
        });
        let waiters: Vec<_> = waiters.collect();
        while board.mutex_calls_of("try_acquire") < KEYS as usize {
            tokio::task::yield_now().await;
        }
        // All wait for other processes by now, or are about to.
        users.set_async("free", 7).await.unwrap();
        assert_eq!(*users.get_async::<i32>("free").await.unwrap().unwrap(), 7);
        let made = users
            .get_or_create_async("made", || async { 8 })
            .await
            .unwrap();
        assert_eq!(made.source(), Source::Created);
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        (0..KEYS).for_each(|key| board.unlock_key(&key.to_string()));
        join_all(waiters).await
    });
    assert!(all_done.into_iter().all(|value| *value.unwrap() == 1));
    assert!(board.locked_keys().is_empty());
}

#[test]
fn a_task_waits_no_longer_than_lock_wait() {
    let config =
        RegionConfig::on("users", "memory").lock_wait(std::time::Duration::from_millis(20));
    let (users, _) = region(config);
    let gave_up = AtomicBool::new(false);
    let create = || async {
        while !gave_up.load(Ordering::SeqCst) {
            let_others_run().await;
        }
        1
    };
    let late = async {
        let got = users.get_or_create_async("1", unwanted::<i32>).await;
        gave_up.store(true, Ordering::SeqCst);
        got.map(|value: Cached<i32>| *value)
    };
    let (made, late) =
        futures_executor::block_on(join(users.get_or_create_async("1", create), late));
    assert_eq!(made.unwrap().source(), Source::Created);
    let error = late.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockWait);
    assert!(error.to_string().contains("20ms"), "{error}");
    assert_eq!(users.stats().errors, 1);
}

#[test]
fn what_one_task_stores_others_get() {
    let (users, hand) = memory();
    futures_executor::block_on(async {
        assert!(users.get_async::<i32>("1").await.unwrap().is_none());
        users.set_async("1", 1).await.unwrap();
        let entry = users.entry("1").expiration_time(SECOND);
        assert_eq!(*entry.get_async::<i32>().await.unwrap().unwrap(), 1);
        hand.advance(2 * SECOND);
        let short = || users.entry("1").expiration_time(SECOND);
        assert!(short().get_async::<i32>().await.unwrap().is_none());
        let never = users.entry("1").expiration_time(Expiration::Never);
        assert!(never.get_async::<i32>().await.unwrap().is_some());
        let unkept = short().should_cache(|value| *value > 5);
        assert_eq!(
            *unkept.get_or_create_async(|| async { 2 }).await.unwrap(),
            2
        );
        assert_eq!(*users.get_async::<i32>("1").await.unwrap().unwrap(), 1);
        let renewed = users.try_refresh_async("1", || async { Ok::<_, String>(3) });
        assert_eq!(renewed.await.unwrap().source(), Source::Created);
        let failed = users.try_refresh_async("1", || async { Err::<i32, _>("no row") });
        assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Creator);
        assert_eq!(*users.get_async::<i32>("1").await.unwrap().unwrap(), 3);
        users.delete_async("1").await.unwrap();
        assert!(users.get_async::<i32>("1").await.unwrap().is_none());
    });
}

fn is_send<F: Send>(future: F) -> F {
    future
}

/// Compiles only if each can be spawned on a runtime of several threads.
#[test]
fn every_future_can_move_between_threads() {
    let (users, _) = memory();
    let many = |missing: Vec<&'static str>| async move {
        missing.into_iter().map(|key| (key, 1)).collect::<Vec<_>>()
    };
    let try_many = |missing: Vec<&'static str>| async move { Ok::<_, String>(many(missing).await) };
    let keys = ["a", "b"];
    let futures = async {
        is_send(users.get_or_create_async("1", || async { 1 })).await?;
        is_send(users.try_get_or_create_async("1", || async { Ok::<_, String>(1) })).await?;
        is_send(users.refresh_async("1", || async { 1 })).await?;
        is_send(users.try_refresh_async("1", || async { Ok::<_, String>(1) })).await?;
        is_send(users.get_async::<i32>("1")).await?;
        is_send(users.set_async("1", 1)).await?;
        is_send(users.delete_async("1")).await?;
        is_send(users.get_multi_async::<i32, _>(&keys)).await?;
        is_send(users.set_multi_async([("a", 1)])).await?;
        is_send(users.delete_multi_async(&keys)).await?;
        is_send(users.get_or_create_multi_async(&keys, many)).await?;
        is_send(users.try_get_or_create_multi_async(&keys, try_many)).await?;
        let entry = || users.entry("1").should_cache(|value: &i32| *value > 0);
        is_send(entry().get_or_create_async(|| async { 1 })).await?;
        is_send(entry().try_get_or_create_async(|| async { Ok::<_, String>(1) })).await?;
        is_send(entry().get_async::<i32>()).await?;
        is_send(entry().set_async(1)).await?;
        let entries = || users.entries(&keys).should_cache(|value: &i32| *value > 0);
        is_send(entries().get_or_create_async(many)).await?;
        is_send(entries().try_get_or_create_async(try_many)).await?;
        Ok::<_, dogpile::Error>(())
    };
    futures_executor::block_on(futures).unwrap();
}

/// Futures within futures grow, and so does the compiler's work on them.
#[test]
fn creators_may_call_for_other_keys_three_deep_and_still_be_spawned() {
    let (users, _) = memory();
    let users = &users;
    let one = || users.get_or_create_async("one", || async { 1 });
    let two = || {
        let create = || async { *one().await.unwrap() + 1 };
        users.refresh_async("two", create)
    };
    let three = {
        let create = |missing: Vec<&'static str>| async move {
            let value = *two().await.unwrap() + 1;
            missing
                .into_iter()
                .map(|key| (key, value))
                .collect::<Vec<_>>()
        };
        is_send(users.get_or_create_multi_async(&["three"], create))
    };
    assert!(size_of_val(&three) < 1024, "{} bytes", size_of_val(&three));
    let three = one_thread().block_on(three).unwrap();
    assert_eq!(three[0].as_deref(), Some(&3));
    assert_eq!(users.stats().creations, 3);
}
