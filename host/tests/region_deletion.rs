//! Deletions and hard invalidations while a value is created: who gets it, and that it is never stored.

#![forbid(unsafe_code)]

mod region_support;

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;

use dogpile::{Invalidation, Region, Source};

use region_support::{Board, SECOND, let_others_run, region, until, until_waiting};

/// A region on objects and one on bytes, with and without mutexes.
fn regions(name: &str) -> Vec<(Region, Arc<Board>, String)> {
    let mut regions = Vec::new();
    for bytes in [false, true] {
        for alone in [false, true] {
            let key = format!("{name} {bytes} {alone}");
            let board = Board::new(&key);
            let config = if bytes {
                board.bytes()
            } else {
                board.objects()
            };
            let config = config.argument("alone", alone).expiration_time(60 * SECOND);
            regions.push((region(config).0, board, key));
        }
    }
    regions
}

#[derive(Clone, Copy)]
enum Way {
    Blocking,
    Task,
    Several,
}

const WAYS: [Way; 3] = [Way::Blocking, Way::Task, Way::Several];

impl Way {
    /// The value of `key`, for which `create` is called before 1 is made of it.
    fn get_or_create(self, users: &Region, key: &str, create: impl Fn() -> i32) -> (i32, Source) {
        let got = match self {
            Self::Blocking => users.get_or_create(key, create).unwrap(),
            Self::Task => {
                let create = || async {
                    let_others_run().await;
                    create()
                };
                let got = users.get_or_create_async(key, create);
                futures_executor::block_on(got).unwrap()
            }
            Self::Several => {
                let got = users.get_or_create_multi(&[key], |missing| [(missing[0], create())]);
                got.unwrap().remove(0).unwrap()
            }
        };
        (*got, got.source())
    }
}

/// Whoever waits before `outdate` gets what is created, whoever comes after has it created anew.
fn callers_before_and_after(
    users: &Region,
    key: &str,
    way: Way,
    stored: impl Fn() -> bool,
    outdate: impl Fn() + Sync,
) {
    thread::scope(|scope| {
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = scope.spawn(move || {
            way.get_or_create(users, key, || {
                creating.send(()).unwrap();
                // Whoever waits for this goes on if the test has failed.
                let _told = may_go_on.recv();
                1
            })
        });
        is_creating.recv().unwrap();
        let before = || way.get_or_create(users, key, || unreachable!("it is being created"));
        let before = [scope.spawn(before), scope.spawn(before)];
        until_waiting(key, 2);
        outdate();
        let after = || way.get_or_create(users, key, || 2);
        let after = [scope.spawn(after), scope.spawn(after)];
        until_waiting(key, 4);
        go_on.send(()).unwrap();
        assert_eq!(first.join().unwrap(), (1, Source::Created));
        for before in before {
            assert_eq!(before.join().unwrap(), (1, Source::Waited));
        }
        let mut after = after.map(|after| after.join().unwrap());
        after.sort_by_key(|(_, source)| *source != Source::Created);
        assert_eq!(after[0], (2, Source::Created));
        assert!(
            matches!(after[1], (2, Source::Waited | Source::Fresh)),
            "{after:?}"
        );
    });
    assert!(stored());
    assert_eq!(*users.get::<i32>(key).unwrap().unwrap(), 2);
    assert_eq!(users.stats().creations, 2);
}

#[test]
fn a_deletion_parts_those_who_wait_from_those_who_come_later() {
    for (at, way) in WAYS.into_iter().enumerate() {
        for (users, board, key) in regions(&format!("parted {at}")) {
            let stored = || board.stored(&key).is_some();
            callers_before_and_after(&users, &key, way, stored, || users.delete(&key).unwrap());
        }
    }
}

#[test]
fn a_hard_invalidation_parts_those_who_wait_from_those_who_come_later() {
    for (at, way) in WAYS.into_iter().enumerate() {
        for (users, board, key) in regions(&format!("outdated {at}")) {
            let stored = || board.stored(&key).is_some();
            let outdate = || users.invalidate(Invalidation::Hard).unwrap();
            callers_before_and_after(&users, &key, way, stored, outdate);
        }
    }
}

impl Way {
    /// As `get_or_create`, with a creator that can fail.
    fn try_get_or_create(
        self,
        users: &Region,
        key: &str,
        create: impl Fn() -> Result<i32, String>,
    ) -> dogpile::Result<i32> {
        match self {
            Self::Blocking => users.try_get_or_create(key, create).map(|got| *got),
            Self::Task => {
                let create = || async {
                    let_others_run().await;
                    create()
                };
                let got = users.try_get_or_create_async(key, create);
                futures_executor::block_on(got).map(|got| *got)
            }
            Self::Several => {
                let got = users.try_get_or_create_multi(&[key], |missing| {
                    create().map(|value| [(missing[0], value)])
                });
                got.map(|mut got| *got.remove(0).unwrap())
            }
        }
    }
}

/// Whoever waits before `outdate` gets the error of the creation under way, whoever comes after creates.
fn errors_before_and_after(users: &Region, key: &str, way: Way, outdate: impl Fn() + Sync) {
    thread::scope(|scope| {
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = scope.spawn(move || {
            way.try_get_or_create(users, key, || {
                creating.send(()).unwrap();
                // Whoever waits for this goes on if the test has failed.
                let _told = may_go_on.recv();
                Err("old trouble".to_owned())
            })
        });
        is_creating.recv().unwrap();
        let unwanted = || unreachable!("it is being created");
        let before = scope.spawn(move || way.try_get_or_create(users, key, unwanted));
        until_waiting(key, 1);
        outdate();
        let after = || way.try_get_or_create(users, key, || Ok(2));
        let after = [scope.spawn(after), scope.spawn(after)];
        until_waiting(key, 3);
        go_on.send(()).unwrap();
        for old in [first, before] {
            let error = old.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("old trouble"), "{error}");
        }
        for after in after {
            assert_eq!(after.join().unwrap().unwrap(), 2);
        }
    });
    assert_eq!((users.stats().creations, users.stats().errors), (1, 2));
}

#[test]
fn an_error_is_not_that_of_who_came_after_a_deletion() {
    type Outdate = fn(&Region, &str);
    let ways: [(&str, Outdate); 3] = [
        ("delete", |users, key| users.delete(key).unwrap()),
        ("several", |users, key| users.delete_multi(&[key]).unwrap()),
        ("clear", |users, _| users.clear().unwrap()),
    ];
    for (name, outdate) in ways {
        for way in WAYS {
            for (users, _, key) in regions(&format!("error, {name} {}", way as u8)) {
                errors_before_and_after(&users, &key, way, || outdate(&users, &key));
            }
        }
    }
}

#[test]
fn an_error_is_not_that_of_who_came_after_a_hard_invalidation() {
    for way in WAYS {
        for (users, _, key) in regions(&format!("error, hard {}", way as u8)) {
            let outdate = || users.invalidate(Invalidation::Hard).unwrap();
            errors_before_and_after(&users, &key, way, outdate);
        }
    }
}

/// What `after` gives, which comes while a tagged creation is under way that fails, and after `outdate`.
fn beside_an_older_failure(
    users: &Region,
    key: &str,
    outdate: impl Fn(),
    after: impl Fn() -> dogpile::Result<i32> + Sync,
) -> dogpile::Result<i32> {
    thread::scope(|scope| {
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = scope.spawn(move || {
            users.entry(key).tags(["tag"]).try_get_or_create(|| {
                creating.send(()).unwrap();
                // Whoever waits for this goes on if the test has failed.
                let _told = may_go_on.recv();
                Err::<i32, _>("old trouble")
            })
        });
        is_creating.recv().unwrap();
        outdate();
        let after = scope.spawn(&after);
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert!(first.join().unwrap().is_err());
        after.join().unwrap()
    })
}

#[test]
fn an_error_is_not_that_of_who_came_after_its_tag_was_invalidated() {
    for way in WAYS {
        for (users, _, key) in regions(&format!("error, tag {}", way as u8)) {
            let beside = |key: &str, tag| {
                let invalidate = || users.invalidate_tags([tag], Invalidation::Hard).unwrap();
                let after = || way.try_get_or_create(&users, key, || Ok(2));
                beside_an_older_failure(&users, key, invalidate, after)
            };
            assert_eq!(beside(&key, "tag").unwrap(), 2);
            let error = beside(&format!("{key}, another tag"), "other").unwrap_err();
            assert!(error.to_string().contains("old trouble"), "{error}");
        }
    }
}

#[test]
fn an_error_is_not_that_of_a_refresh_which_came_after() {
    for (users, _, key) in regions("error, refresh") {
        let refresh = || users.refresh(&key, || 2).map(|got| *got);
        let got = beside_an_older_failure(&users, &key, || {}, refresh);
        assert_eq!(got.unwrap(), 2);
    }
}

/// Runs a future to its end where another executor may be at work on this thread.
fn within_a_task<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap().block_on(future)
}

#[test]
fn what_is_deleted_or_outdated_while_it_is_created_is_never_stored() {
    type Outdate = fn(&Region, &str);
    let ways: [(&str, Outdate); 7] = [
        ("delete", |users, key| users.delete(key).unwrap()),
        ("several", |users, key| {
            users.delete_multi(&["other", key]).unwrap();
        }),
        ("task", |users, key| {
            within_a_task(users.delete_async(key)).unwrap();
        }),
        ("tasks", |users, key| {
            within_a_task(users.delete_multi_async(&[key])).unwrap();
        }),
        ("clear", |users, _| users.clear().unwrap()),
        ("clear in a task", |users, _| {
            within_a_task(users.clear_async()).unwrap();
        }),
        ("hard", |users, _| {
            users.invalidate(Invalidation::Hard).unwrap();
        }),
    ];
    for (name, outdate) in ways {
        for way in WAYS {
            for (users, board, key) in regions(&format!("{name} {}", way as u8)) {
                let got = way.get_or_create(&users, &key, || {
                    outdate(&users, &key);
                    1
                });
                assert_eq!(got, (1, Source::Created));
                assert!(board.stored(&key).is_none(), "{name}");
                let sets = board
                    .calls()
                    .into_iter()
                    .filter(|call| call.starts_with("set"));
                assert_eq!(sets.count(), 0, "{name}");
                assert_eq!(way.get_or_create(&users, &key, || 2), (2, Source::Created));
                assert!(board.stored(&key).is_some());
            }
        }
    }
}

#[test]
fn what_is_deleted_before_its_creation_begins_is_stored() {
    for (at, way) in WAYS.into_iter().enumerate() {
        let key = format!("deleted before {at}");
        let board = Board::new(&key);
        let (users, _) = region(board.objects());
        let (deleting, deleted) = (users.clone(), key.clone());
        board.hook(move |call| {
            if call.starts_with("try_acquire") {
                deleting.delete(&deleted).unwrap();
            }
        });
        assert_eq!(way.get_or_create(&users, &key, || 1), (1, Source::Created));
        assert!(board.stored(&key).is_some(), "{at}");
    }
}

#[test]
fn a_soft_invalidation_meanwhile_leaves_a_value_that_is_stale_at_once() {
    for (users, board, key) in regions("soft") {
        let got = Way::Blocking.get_or_create(&users, &key, || {
            users.invalidate(Invalidation::Soft).unwrap();
            1
        });
        assert_eq!(got, (1, Source::Created));
        assert!(board.stored(&key).is_some());
        assert!(users.get::<i32>(&key).unwrap().is_none());
        assert_eq!(
            region_support::beside_a_creation(&users, &key, false),
            (1, Source::Stale)
        );
    }
}

#[test]
fn of_several_keys_only_the_one_that_was_deleted_meanwhile_is_not_stored() {
    for (users, board, _) in regions("one of several") {
        let got = users.get_or_create_multi(&["a", "b", "c"], |missing| {
            users.delete("b").unwrap();
            missing.iter().map(|key| (*key, 1)).collect::<Vec<_>>()
        });
        assert!(got.unwrap().into_iter().all(|value| *value.unwrap() == 1));
        let stored = ["a", "b", "c"].map(|key| board.stored(key).is_some());
        assert_eq!(stored, [true, false, true]);
    }
}

#[test]
fn a_deletion_waits_for_a_store_and_undoes_it() {
    for (users, board, key) in regions("storing") {
        let (storing, is_storing) = mpsc::channel();
        let deleting = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let begun = Arc::clone(&deleting);
        board.hook(move |call| {
            if call.starts_with("set ") {
                storing.send(()).unwrap();
                // The deletion is on its way; whether it has met the lock or will, it comes after this store.
                until(|| begun.load(std::sync::atomic::Ordering::SeqCst));
            }
        });
        thread::scope(|scope| {
            let creator = scope.spawn(|| users.get_or_create(&key, || 1).unwrap());
            is_storing.recv().unwrap();
            deleting.store(true, std::sync::atomic::Ordering::SeqCst);
            users.delete(&key).unwrap();
            assert!(board.stored(&key).is_none());
            assert_eq!(*creator.join().unwrap(), 1);
        });
        assert!(board.stored(&key).is_none());
        let calls = board.calls();
        let order: Vec<_> = calls
            .iter()
            .filter(|call| call.starts_with("set ") || call.starts_with("delete "))
            .collect();
        assert_eq!(order, [&format!("set {key}"), &format!("delete {key}")]);
    }
}

#[test]
fn a_refresh_of_what_is_deleted_meanwhile_brings_nothing_back() {
    for (users, board, key) in regions("refresh") {
        users.set(&key, 1).unwrap();
        let renewed = users.refresh(&key, || {
            users.delete(&key).unwrap();
            2
        });
        assert_eq!(*renewed.unwrap(), 2);
        assert!(board.stored(&key).is_none());
    }
}

/// A call of a task that is dropped while its value is being stored on the pool. Gives what lets the store go on.
fn dropped_while_it_stores<'a>(
    users: &Region,
    board: &Board,
    way: Way,
    key: &'a str,
) -> mpsc::Sender<()> {
    let (storing, is_storing) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let first = AtomicBool::new(true);
    board.hook(move |call| {
        if call.starts_with("set") && first.swap(false, Ordering::SeqCst) {
            storing.send(()).unwrap();
            // The test may have ended.
            let _told = may_go_on.lock().unwrap().recv();
        }
    });
    let mut call: Pin<Box<dyn Future<Output = ()>>> = match way {
        Way::Several => Box::pin(async {
            let keys = [key];
            let create = |missing: Vec<&'a str>| {
                let made = missing.into_iter().map(|key| (key, 1));
                ready(made.collect::<Vec<_>>())
            };
            drop(users.get_or_create_multi_async(&keys, create).await);
        }),
        _ => Box::pin(async {
            drop(users.get_or_create_async(key, || ready(1)).await);
        }),
    };
    let mut context = Context::from_waker(Waker::noop());
    until(|| {
        let pending = call.as_mut().poll(&mut context).is_pending();
        assert!(pending, "its store is held");
        is_storing.try_recv().is_ok()
    });
    go_on
}

#[test]
fn a_store_that_outlives_its_call_is_waited_for_and_undone_by_a_deletion() {
    type Outdate = fn(&Region, &str);
    let ways: [(&str, Outdate); 3] = [
        ("delete", |users, key| users.delete(key).unwrap()),
        ("several", |users, key| users.delete_multi(&[key]).unwrap()),
        ("clear", |users, _| users.clear().unwrap()),
    ];
    for (name, outdate) in ways {
        for way in [Way::Task, Way::Several] {
            for (users, board, key) in regions(&format!("left {name} {}", way as u8)) {
                let go_on = dropped_while_it_stores(&users, &board, way, &key);
                thread::scope(|scope| {
                    let outdates = scope.spawn(|| outdate(&users, &key));
                    assert!(users.key_is_locked(&key).unwrap(), "it is being stored");
                    go_on.send(()).unwrap();
                    outdates.join().unwrap();
                });
                until(|| !users.key_is_locked(&key).unwrap());
                assert!(board.stored(&key).is_none(), "{name}");
            }
        }
    }
}

#[test]
fn who_comes_after_a_call_that_was_dropped_as_it_stored_waits_for_that_store() {
    for way in [Way::Task, Way::Several] {
        for (users, board, key) in regions(&format!("left and asked for {}", way as u8)) {
            let go_on = dropped_while_it_stores(&users, &board, way, &key);
            thread::scope(|scope| {
                let next = scope.spawn(|| users.get_or_create(&key, || 2));
                until_waiting(&key, 1);
                go_on.send(()).unwrap();
                // It reads again, and finds what was stored.
                assert_eq!(*next.join().unwrap().unwrap(), 1);
            });
            assert_eq!(users.stats().creations, 1);
        }
    }
}
