//! What becomes of creators that are tasks: dropped, failing, falling over, and in circles.

#![forbid(unsafe_code)]

mod region_support;

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::thread;

use dogpile::{ErrorKind, Region, RegionConfig, Source};
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};

use region_support::{
    Board, SECOND, builder, let_others_run, memory, region, until, until_waiting, unwanted,
};

/// Polls a call for `key` until its creator is at work, lets `meanwhile` line up behind it, and drops it.
fn drop_a_creator(users: &Region, key: &str, meanwhile: impl FnOnce()) {
    let at_work = AtomicU32::new(0);
    let create = || async {
        at_work.store(1, Ordering::SeqCst);
        pending::<i32>().await
    };
    let mut call = Box::pin(users.get_or_create_async(key, create));
    let mut context = Context::from_waker(Waker::noop());
    until(|| {
        assert!(call.as_mut().poll(&mut context).is_pending());
        at_work.load(Ordering::SeqCst) == 1
    });
    meanwhile();
    drop(call);
}

#[test]
fn a_thread_takes_over_from_a_task_that_is_dropped() {
    for (at, board) in ["thread blocks", "thread inline"]
        .map(Board::new)
        .iter()
        .enumerate()
    {
        let key = &*format!("dropped for a thread {at}");
        let (users, _) = region(board.objects().argument("inline", at == 1));
        thread::scope(|scope| {
            let mut heir = None;
            drop_a_creator(&users, key, || {
                heir = Some(scope.spawn(|| users.get_or_create(key, || 7).unwrap()));
                until_waiting(key, 1);
            });
            let got = heir.unwrap().join().unwrap();
            assert_eq!((*got, got.source()), (7, Source::Created));
        });
        assert_eq!(users.stats().creations, 1);
        until(|| board.locked_keys().is_empty());
        assert!(!users.key_is_locked(key).unwrap());
    }
}

#[test]
fn a_task_takes_over_from_a_task_that_is_dropped() {
    for (at, board) in ["task blocks", "task inline"]
        .map(Board::new)
        .iter()
        .enumerate()
    {
        let key = &*format!("dropped for a task {at}");
        let (users, _) = region(board.objects().argument("inline", at == 1));
        thread::scope(|scope| {
            let mut heirs = None;
            drop_a_creator(&users, key, || {
                heirs = Some(scope.spawn(|| {
                    let heir = |value| users.get_or_create_async(key, move || async move { value });
                    futures_executor::block_on(join(heir(7), heir(8)))
                }));
                until_waiting(key, 2);
            });
            let (first, second) = heirs.unwrap().join().unwrap();
            let (first, second) = (first.unwrap(), second.unwrap());
            assert_eq!((*first, first.source()), (7, Source::Created));
            assert_eq!((*second, second.source()), (7, Source::Waited));
        });
        until(|| board.locked_keys().is_empty());
    }
}

#[test]
fn a_key_is_free_after_its_only_task_is_dropped() {
    for (at, board) in ["free blocks", "free inline"]
        .map(Board::new)
        .iter()
        .enumerate()
    {
        let (users, _) = region(board.objects().argument("inline", at == 1));
        drop_a_creator(&users, "free", || {
            assert!(users.key_is_locked("free").unwrap());
        });
        until(|| board.locked_keys().is_empty());
        assert!(!users.key_is_locked("free").unwrap());
        assert_eq!(*users.get_or_create("free", || 7).unwrap(), 7);
    }
}

#[test]
fn a_waiter_that_is_dropped_is_passed_over() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let mut heir = None;
        drop_a_creator(&users, "passed over", || {
            let mut first = Box::pin(users.get_or_create_async("passed over", || async { 6 }));
            let mut context = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut context).is_pending());
            heir = Some(scope.spawn(|| users.get_or_create("passed over", || 7).unwrap()));
            until_waiting("passed over", 2);
            drop(first);
        });
        assert_eq!(*heir.unwrap().join().unwrap(), 7);
    });
}

#[test]
fn several_keys_are_handed_over_from_a_task_that_is_dropped() {
    let board = Board::new("multi dropped");
    let (users, _) = region(board.objects().argument("inline", true));
    thread::scope(|scope| {
        let keys = ["gone:a", "gone:b", "gone:c"];
        let create = |_: Vec<&'static str>| pending::<Vec<(&'static str, i32)>>();
        let mut call = Box::pin(users.get_or_create_multi_async(&keys, create));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert_eq!(board.locked_keys(), keys);
        let heir = scope.spawn(|| users.get_or_create("gone:b", || 7).unwrap());
        until_waiting("gone:b", 1);
        drop(call);
        assert_eq!(heir.join().unwrap().source(), Source::Created);
        until(|| board.locked_keys().is_empty());
        assert!(keys.iter().all(|key| !users.key_is_locked(key).unwrap()));
    });
}

#[test]
fn a_tasks_panic_goes_to_its_caller_and_the_next_task_takes_over() {
    let (users, _) = memory();
    let first = AssertUnwindSafe(users.get_or_create_async("falls", || async {
        let_others_run().await;
        assert!(users.name().is_empty(), "it falls over");
        6
    }));
    let second = users.get_or_create_async("falls", || async { 7 });
    let (first, second) = futures_executor::block_on(join(first.catch_unwind(), second));
    assert_eq!(first.err().unwrap().downcast_ref(), Some(&"it falls over"));
    let second: dogpile::Cached<i32> = second.unwrap();
    assert_eq!((*second, second.source()), (7, Source::Created));
}

#[test]
fn a_tasks_error_goes_to_all_who_wait_tasks_and_threads() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let failing = users.try_get_or_create_async("task fails", || async {
            until_waiting("task fails", 1);
            let_others_run().await;
            Err::<i32, _>(std::io::Error::other("no disk"))
        });
        let waiting = users.get_or_create_async("task fails", unwanted);
        let thread = scope.spawn(|| {
            until(|| users.key_is_locked("task fails").unwrap());
            users.get_or_create("task fails", || -> i32 { unreachable!() })
        });
        let (failed, waited) = futures_executor::block_on(join(failing, waiting));
        let waited: Result<dogpile::Cached<i32>, _> = waited;
        for got in [failed, waited, thread.join().unwrap()] {
            assert!(got.unwrap_err().creator::<std::io::Error>().is_some());
        }
    });
}

#[test]
fn a_task_that_asks_for_its_own_key_gets_an_error() {
    let (users, _) = memory();
    let made = users.get_or_create_async("own", || async {
        let_others_run().await;
        let own = users.get_or_create_async("own", unwanted);
        let own: dogpile::Result<dogpile::Cached<i32>> = own.await;
        assert_eq!(own.unwrap_err().kind(), ErrorKind::Circle);
        7
    });
    assert_eq!(*futures_executor::block_on(made).unwrap(), 7);
}

/// Two creators, each of which wants the other's value. Gives how many were told that they are in a circle.
async fn cross(one: &Region, other: &Region) -> u32 {
    let circles = AtomicU32::new(0);
    let started = AtomicU32::new(0);
    let create = |wanted_in: &Region, wanted: &'static str| {
        let (wanted_in, circles, started) = (wanted_in.clone(), &circles, &started);
        async move {
            started.fetch_add(1, Ordering::SeqCst);
            while started.load(Ordering::SeqCst) < 2 {
                let_others_run().await;
            }
            let got: dogpile::Result<dogpile::Cached<u32>> =
                wanted_in.get_or_create_async(wanted, unwanted).await;
            match got {
                Ok(value) => *value + 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Circle);
                    circles.fetch_add(1, Ordering::SeqCst);
                    0
                }
            }
        }
    };
    let first = one.get_or_create_async("a", || create(other, "b"));
    let second = other.get_or_create_async("b", || create(one, "a"));
    let (first, second) = join(first, second).await;
    assert_eq!(*first.unwrap() + *second.unwrap(), 1);
    circles.load(Ordering::SeqCst)
}

#[test]
fn of_two_tasks_that_wait_for_each_other_one_gets_an_error() {
    for config in [
        RegionConfig::on("users", "memory"),
        Board::new("cross").objects(),
    ] {
        let (users, _) = region(config);
        assert_eq!(futures_executor::block_on(cross(&users, &users)), 1);
    }
}

#[test]
fn a_circle_is_seen_over_two_regions_of_two_hosts() {
    let (here, _) = memory();
    let (builder, _) = builder();
    let config = RegionConfig::on("orders", "memory");
    let host = builder.region(config).build().unwrap();
    let there = host.region("orders").unwrap();
    assert_eq!(futures_executor::block_on(cross(&here, &there)), 1);
}

#[test]
fn of_a_task_and_a_thread_that_wait_for_each_other_one_gets_an_error() {
    let (users, _) = region(RegionConfig::on("users", "memory"));
    let circles = AtomicU32::new(0);
    let count = |got: dogpile::Result<dogpile::Cached<u32>>| match got {
        Ok(value) => *value + 1,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Circle);
            circles.fetch_add(1, Ordering::SeqCst);
            0
        }
    };
    let sum = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let made = users.get_or_create("of the thread", || {
                until(|| users.key_is_locked("of the task").unwrap());
                count(users.get_or_create("of the task", || -> u32 { unreachable!() }))
            });
            *made.unwrap()
        });
        let task = users.get_or_create_async("of the task", || async {
            until(|| users.key_is_locked("of the thread").unwrap());
            count(users.get_or_create_async("of the thread", unwanted).await)
        });
        let task = *futures_executor::block_on(task).unwrap();
        task + thread.join().unwrap()
    });
    assert_eq!((sum, circles.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn a_creator_may_wait_for_two_keys_at_once() {
    for config in [
        RegionConfig::on("users", "memory"),
        Board::new("join").objects(),
    ] {
        let (users, _) = region(config.lock_wait(60 * SECOND));
        let order = Mutex::new(Vec::new());
        let leaf = |key: &'static str| {
            let order = &order;
            users.get_or_create_async(key, move || async move {
                let_others_run().await;
                order.lock().unwrap().push(key);
                1
            })
        };
        // Both ask for the same leaf too, and wait for each other's.
        let node = |key: &'static str, own: &'static str| {
            users.get_or_create_async(key, move || async move {
                let (shared, own) = join(leaf("shared"), leaf(own)).await;
                *shared.unwrap() + *own.unwrap()
            })
        };
        let root = users.get_or_create_async("root", || async {
            let (left, right) = join(node("left", "of left"), node("right", "of right")).await;
            *left.unwrap() + *right.unwrap()
        });
        let (root, leaves) = futures_executor::block_on(join(
            root,
            join_all(["of left", "of right", "shared"].map(leaf)),
        ));
        assert_eq!(*root.unwrap(), 4);
        assert!(leaves.into_iter().all(|leaf| leaf.is_ok()));
        let mut created = order.into_inner().unwrap();
        created.sort_unstable();
        assert_eq!(created, ["of left", "of right", "shared"]);
        assert_eq!(users.stats().errors, 0);
    }
}

/// A circle counts only what the creator itself waits for, wherever its future is polled.
#[test]
fn a_creator_that_moves_between_threads_is_still_known() {
    let (users, _) = memory();
    let mut call = Box::pin(users.get_or_create_async("moves", || async {
        let_others_run().await;
        let own = users.get_or_create_async("moves", unwanted);
        let own: dogpile::Result<dogpile::Cached<i32>> = own.await;
        assert_eq!(own.unwrap_err().kind(), ErrorKind::Circle);
        7
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(&mut call).poll(&mut context).is_pending());
    let made = thread::scope(|scope| {
        let finish = scope.spawn(|| futures_executor::block_on(call));
        finish.join().unwrap()
    });
    assert_eq!(*made.unwrap(), 7);
}
