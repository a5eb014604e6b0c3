//! Every event that can come between a caller and its value, by the test that shows the outcome.
//!
//! | event | outcome | test |
//! |---|---|---|
//! | creation ends | all who wait get it, without a second read | `who_waits_gets_the_value_without_a_second_read` |
//! | another type under the key | read as if stored, then one turn, then an error | `region_types::who_waited_for_another_type_*`, `who_waits_for_another_type_twice_gets_an_error` |
//! | creator fails | a stale value, left alone until `retry_after`; else the error is shared | `region_stale_if_error` |
//! | creator panics | the next takes over, the panic is its caller's | `region_creators::a_creators_panic_*`, `region_multi_threads::a_panic_*`, `region_async_creators::a_tasks_panic_*` |
//! | creator's future is dropped | the next takes over | `region_async_creators::*_dropped` |
//! | `should_cache` says no | all who wait get the value, nothing is stored | `five_threads_get_what_is_not_stored_from_one_call` |
//! | circle | the wait that would close it gets an error | `region_creators::of_two_creators_*`, `region_async_creators::of_two_tasks_*`, `of_a_task_and_a_thread_*` |
//! | deletion, hard invalidation | callers from before may get it, it is never stored | `region_deletion` |
//! | owning process dies, pauses, is slow | the next within its lease; late writes refused; renewed | `distributed_mutex` of the crate `dogpile-tests` |
//! | `lock_wait` passes | that caller alone gets an error | `region_lock_wait`, `region_creators::who_waits_longer_*` |
//! | backend fails | as if missing, held for `bypass_hold`; or an error | `region_failures` |
//! | mutex cannot be reached | as if the backend had none; or an error | `a_mutex_that_cannot_be_reached_is_as_if_there_was_none`, `a_mutex_that_cannot_be_reached_can_be_an_error` |
//! | clock set back | the cache goes on | `a_clock_set_back_after_an_invalidation_does_not_switch_the_cache_off` |

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use dogpile::{ErrorKind, Invalidation, OnBackendError, Source};

use region_support::{Board, Fault, SECOND, START, TICK, logs, region, until, until_waiting};

#[test]
fn who_waits_gets_the_value_without_a_second_read() {
    for bytes in [false, true] {
        let key = format!("no second read {bytes}");
        let board = Board::new(&key);
        let config = if bytes {
            board.bytes()
        } else {
            board.objects()
        };
        let (users, _) = region(config);
        board.calls();
        let sources = thread::scope(|scope| {
            let thread = || {
                users
                    .get_or_create(&key, || until_waiting(&key, 9))
                    .unwrap()
                    .source()
            };
            let task = || {
                let create = || async { until_waiting(&key, 9) };
                let got = users.get_or_create_async(&key, create);
                futures_executor::block_on(got).unwrap().source()
            };
            let threads: Vec<_> = (0..5).map(|_| scope.spawn(thread)).collect();
            let tasks: Vec<_> = (0..5).map(|_| scope.spawn(task)).collect();
            let all = threads.into_iter().chain(tasks);
            all.map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
        });
        let waited = sources.iter().filter(|source| **source == Source::Waited);
        assert_eq!(waited.count(), 9);
        let calls = board.calls();
        let count = |method: &str| {
            calls
                .iter()
                .filter(|call| call.split(' ').next() == Some(method))
                .count()
        };
        assert_eq!(
            (count("get"), count("get_fresh"), count("set")),
            (10, 1, 1),
            "{calls:?}"
        );
        assert_eq!(board.mutex_calls_of("try_acquire"), 1);
    }
}

/// dogpile.cache has them create one after the other.
#[test]
fn five_threads_get_what_is_not_stored_from_one_call() {
    let board = Board::new("n3");
    let (users, _) = region(board.bytes());
    let calls = AtomicU32::new(0);
    thread::scope(|scope| {
        let call = || {
            let create = || {
                until_waiting("n3", 4);
                calls.fetch_add(1, Ordering::SeqCst)
            };
            let entry = users.entry("n3").should_cache(|_: &u32| false);
            *entry.get_or_create(create).unwrap()
        };
        let callers: Vec<_> = (0..5).map(|_| scope.spawn(call)).collect();
        assert!(
            callers
                .into_iter()
                .all(|caller| caller.join().unwrap() == 0)
        );
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(board.stored("n3").is_none());
}

#[test]
fn a_mutex_that_cannot_be_reached_is_as_if_there_was_none() {
    for fault in [Fault::Fail, Fault::Panic] {
        let key = format!("unreachable {fault:?}");
        let board = Board::new(&key);
        let (users, _) = region(board.bytes());
        board.fault("try_acquire", Some(fault));
        let created = AtomicU32::new(0);
        thread::scope(|scope| {
            let call = || {
                let create = || {
                    until_waiting(&key, 4);
                    created.fetch_add(1, Ordering::SeqCst)
                };
                *users.get_or_create(&key, create).unwrap()
            };
            let callers: Vec<_> = (0..5).map(|_| scope.spawn(call)).collect();
            assert!(
                callers
                    .into_iter()
                    .all(|caller| caller.join().unwrap() == 0)
            );
        });
        // Still one creation in the process, and what it made is stored.
        assert_eq!(created.load(Ordering::SeqCst), 1);
        let panicked = matches!(fault, Fault::Panic);
        // After a panic the backend is not called until it was reopened.
        assert_eq!(board.stored(&key).is_some(), !panicked);
        assert_eq!(users.stats().errors, 0);
    }
}

#[test]
fn a_mutex_that_cannot_be_reached_can_be_an_error() {
    let board = Board::new("unreachable fail");
    let (users, hand) = region(
        board
            .bytes()
            .expiration_time(60 * SECOND)
            .on_backend_error(OnBackendError::Fail),
    );
    users.set("1", 1).unwrap();
    hand.advance(61 * SECOND);
    board.fault("try_acquire", Some(Fault::Fail));
    let error = users
        .get_or_create("1", || -> i32 { unreachable!() })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
    assert!(
        error.to_string().contains("no try_acquire today"),
        "{error}"
    );
    assert!(!users.key_is_locked("1").unwrap());
    board.fault("try_acquire", None);
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
}

#[test]
fn a_mutex_that_is_not_given_back_is_logged_and_the_value_goes_out() {
    let board = Board::new("not given back");
    let (users, _) = region(board.bytes());
    board.fault("release", Some(Fault::Fail));
    let lines = logs::of(|| {
        let got = users.get_or_create("1", || 1).unwrap();
        assert_eq!((*got, got.source()), (1, Source::Created));
    });
    let warnings: Vec<_> = lines.iter().filter(|line| line.level == "WARN").collect();
    let [warning] = warnings[..] else {
        panic!("{lines:#?}");
    };
    assert!(warning.message.contains("mutex was not released"));
    assert_eq!(warning.field("region"), "users");
    assert!(warning.field("error").contains("no release today"));
    assert!(board.stored("1").is_some());
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 1);
}

#[test]
fn a_mutex_that_becomes_unreachable_while_it_is_waited_for_lets_the_waiter_go_on() {
    let board = Board::new("lost sight of");
    let (users, _) = region(board.bytes());
    board.lock_key("lost sight of");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| users.get_or_create("lost sight of", || 7).unwrap());
        until_waiting("lost sight of", 1);
        board.fault("try_acquire", Some(Fault::Fail));
        board.fault("is_locked", Some(Fault::Fail));
        let got = waiter.join().unwrap();
        assert_eq!((*got, got.source()), (7, Source::Created));
    });
}

#[test]
fn a_clock_set_back_after_an_invalidation_does_not_switch_the_cache_off() {
    for bytes in [false, true] {
        for how in [Invalidation::Hard, Invalidation::Soft] {
            let key = format!("set back {bytes} {how:?}");
            let board = Board::new(&key);
            let config = if bytes {
                board.bytes()
            } else {
                board.objects()
            };
            let (users, hand) = region(config.expiration_time(60 * SECOND));
            users.invalidate(how).unwrap();
            hand.set((START - 3_600) * 1_000_000_000);
            let got = users.get_or_create(&key, || 1).unwrap();
            assert_eq!(got.source(), Source::Created);
            let again = users.get_or_create(&key, || 2).unwrap();
            assert_eq!((*again, again.source()), (1, Source::Fresh));
            hand.advance(60 * SECOND);
            assert_eq!(
                users.get_or_create(&key, || 3).unwrap().source(),
                Source::Fresh
            );
            hand.advance(SECOND);
            // Expired by the clock as it goes now; all who wait share one creation.
            users.delete(&key).unwrap();
            let created = AtomicU32::new(0);
            thread::scope(|scope| {
                let call = || {
                    let create = || {
                        until_waiting(&key, 4);
                        created.fetch_add(1, Ordering::SeqCst)
                    };
                    *users.get_or_create(&key, create).unwrap()
                };
                let callers: Vec<_> = (0..5).map(|_| scope.spawn(call)).collect();
                assert!(
                    callers
                        .into_iter()
                        .all(|caller| caller.join().unwrap() == 0)
                );
            });
            assert_eq!(created.load(Ordering::SeqCst), 1);
        }
    }
}

/// What was held while the backend failed is older than what was stored since.
#[test]
fn a_value_stored_since_a_failure_outlives_the_one_that_was_held() {
    let board = Board::new("held and replaced");
    let (users, _) = region(board.objects().bypass_hold(10 * SECOND));
    let fail =
        |fault| ["get", "get_multi", "set", "set_multi"].map(|method| board.fault(method, fault));
    let stores: [fn(&dogpile::Region); 4] = [
        |users| drop(users.set("1", 2).unwrap()),
        |users| users.set_multi([("1", 2)]).unwrap(),
        |users| drop(users.refresh("1", || 2).unwrap()),
        |users| drop(users.entry("1").expiration_time(SECOND).set(2).unwrap()),
    ];
    for store in stores {
        fail(Some(Fault::Fail));
        users.set("1", 1).unwrap();
        assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 1);
        fail(None);
        store(&users);
        fail(Some(Fault::Fail));
        let got = users.get::<i32>("1").unwrap();
        assert!(
            got.is_none_or(|value| *value == 2),
            "what was held before is served"
        );
        fail(None);
    }
}

#[test]
fn what_could_be_stored_and_cannot_be_read_is_held_too() {
    let board = Board::new("stored and unread");
    let (users, hand) = region(board.objects().bypass_hold(10 * SECOND));
    for method in ["get", "get_fresh", "get_multi", "get_multi_fresh"] {
        board.fault(method, Some(Fault::Fail));
    }
    let created = AtomicU32::new(0);
    let create = || created.fetch_add(1, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(*users.get_or_create("1", create).unwrap(), 0);
        let all = users.get_or_create_multi(&["2"], |_| [("2", create())]);
        assert_eq!(all.unwrap()[0].as_deref(), Some(&1));
    }
    // What is there again is read.
    for method in ["get", "get_fresh", "get_multi", "get_multi_fresh"] {
        board.fault(method, None);
    }
    hand.advance(11 * SECOND);
    until(|| users.get::<u32>("1").unwrap().is_some());
    assert_eq!(*users.get_or_create("1", create).unwrap(), 0);
    assert_eq!(created.load(Ordering::SeqCst), 2);
}

#[test]
fn a_value_held_since_a_failure_is_served_while_it_is_fresh_alone() {
    let board = Board::new("held and expired");
    let config = board.objects().expiration_time(2 * SECOND);
    let (users, hand) = region(config.bypass_hold(10 * SECOND));
    for method in ["get", "get_fresh", "set"] {
        board.fault(method, Some(Fault::Fail));
    }
    assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
    hand.advance(2 * SECOND);
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 1);
    hand.advance(TICK);
    assert_eq!(*users.get_or_create("1", || 3).unwrap(), 3);
    users.invalidate(Invalidation::Hard).unwrap();
    hand.advance(TICK);
    assert_eq!(*users.get_or_create("1", || 4).unwrap(), 4);
}

#[test]
fn a_refresh_gets_nothing_that_began_before_it_did() {
    let board = Board::new("refreshes");
    let (users, _) = region(board.bytes());
    let created = AtomicU32::new(0);
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            users.refresh("renewed", || {
                begun.store(true, Ordering::SeqCst);
                until_waiting("renewed", 4);
                created.fetch_add(1, Ordering::SeqCst)
            })
        });
        until(|| begun.load(Ordering::SeqCst));
        let renew = || {
            *users
                .refresh("renewed", || created.fetch_add(1, Ordering::SeqCst))
                .unwrap()
        };
        let others: Vec<_> = (0..4).map(|_| scope.spawn(renew)).collect();
        assert_eq!(*first.join().unwrap().unwrap(), 0);
        assert!(others.into_iter().all(|other| other.join().unwrap() > 0));
    });
    let created = created.into_inner();
    assert!((2..=5).contains(&created), "{created}");
    assert_eq!(users.stats().creations, u64::from(created));
}
