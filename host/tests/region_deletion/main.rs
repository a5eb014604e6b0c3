//! Deletions, hard invalidations and sets while a value is created: who gets it, and that it is never stored.

#![forbid(unsafe_code)]

mod errors;
#[path = "../region_support/mod.rs"]
mod region_support;

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;

use dogpile::{Invalidation, Region, Source};

use region_support::{Board, SECOND, held, let_others_run, logs, region, until, until_waiting};

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
    /// The value of `key` and whence it is; `create` is called before a new one is made of what it gives.
    fn try_get_or_create(
        self,
        users: &Region,
        key: &str,
        create: impl Fn() -> Result<i32, String>,
    ) -> dogpile::Result<(i32, Source)> {
        let got = match self {
            Self::Blocking => users.try_get_or_create(key, create)?,
            Self::Task => {
                let create = || async {
                    let_others_run().await;
                    create()
                };
                let got = users.try_get_or_create_async(key, create);
                futures_executor::block_on(got)?
            }
            Self::Several => {
                let got = users.try_get_or_create_multi(&[key], |missing| {
                    create().map(|value| [(missing[0], value)])
                });
                got?.remove(0).unwrap()
            }
        };
        Ok((*got, got.source()))
    }

    /// As that, with a creator that cannot fail.
    fn get_or_create(self, users: &Region, key: &str, create: impl Fn() -> i32) -> (i32, Source) {
        let got = self.try_get_or_create(users, key, || Ok(create()));
        got.unwrap()
    }
}

/// What callers got: the one that created what `create` gives, two who waited before it was outdated, and two who came
/// after that, who create 2.
struct Parted {
    first: dogpile::Result<(i32, Source)>,
    before: [dogpile::Result<(i32, Source)>; 2],
    after: [dogpile::Result<(i32, Source)>; 2],
}

fn parted(
    users: &Region,
    key: &str,
    way: Way,
    create: impl Fn() -> Result<i32, String> + Sync,
    outdate: impl Fn(),
) -> Parted {
    thread::scope(|scope| {
        let first = held(scope, |hold| {
            way.try_get_or_create(users, key, || {
                hold.wait();
                create()
            })
        });
        let unwanted = || unreachable!("it is being created");
        let before = move || way.try_get_or_create(users, key, unwanted);
        let before = [scope.spawn(before), scope.spawn(before)];
        until_waiting(key, 2);
        outdate();
        let after = || way.try_get_or_create(users, key, || Ok(2));
        let after = [scope.spawn(after), scope.spawn(after)];
        until_waiting(key, 4);
        Parted {
            first: first.end(),
            before: before.map(|before| before.join().unwrap()),
            after: after.map(|after| after.join().unwrap()),
        }
    })
}

/// Whoever waits before `outdate` gets what is created, whoever comes after has it created anew.
fn callers_before_and_after(
    users: &Region,
    key: &str,
    way: Way,
    stored: impl Fn() -> bool,
    outdate: impl Fn(),
) {
    let got = parted(users, key, way, || Ok(1), outdate);
    assert_eq!(got.first.unwrap(), (1, Source::Created));
    for before in got.before {
        assert_eq!(before.unwrap(), (1, Source::Waited));
    }
    let mut after = got.after.map(Result::unwrap);
    after.sort_by_key(|(_, source)| *source != Source::Created);
    assert_eq!(after[0], (2, Source::Created));
    assert!(
        matches!(after[1], (2, Source::Waited | Source::Fresh)),
        "{after:?}"
    );
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

type Set = fn(&Region, &str);

/// Sets 7, in every way there is.
const SETS: [(&str, Set); 8] = [
    ("set", |users, key| drop(users.set(key, 7).unwrap())),
    ("several", |users, key| {
        users.set_multi([("other", 6), (key, 7)]).unwrap();
    }),
    ("task", |users, key| {
        within_a_task(users.set_async(key, 7)).unwrap();
    }),
    ("tasks", |users, key| {
        within_a_task(users.set_multi_async([(key, 7)])).unwrap();
    }),
    ("entry", |users, key| {
        drop(users.entry(key).tags(["a"]).set(7).unwrap());
    }),
    ("entry in a task", |users, key| {
        within_a_task(users.entry(key).set_async(7)).unwrap();
    }),
    ("entries", |users, key| {
        drop(users.entries(&[key]).set([7]).unwrap());
    }),
    ("payload", |users, key| {
        users.set_payload(key, b"7").unwrap();
    }),
];

/// The template plugin of dogpile.cache calls a method of the region that is not there.
#[test]
fn what_is_set_in_any_way_is_found() {
    for (name, set) in SETS {
        for (users, board, key) in regions(&format!("found when set by {name}")) {
            set(&users, &key);
            assert!(board.stored(&key).is_some(), "{name}");
            let got = users.get_or_create(&key, || -> i32 { unreachable!("it is set") });
            let got = got.unwrap();
            assert_eq!((*got, got.source()), (7, Source::Fresh), "{name}");
        }
    }
}

#[test]
fn what_is_set_while_the_key_is_created_stays_and_who_waits_gets_what_is_created() {
    for (name, set) in SETS {
        for way in WAYS {
            for (users, board, key) in regions(&format!("set by {name} {}", way as u8)) {
                let (users, key) = (&users, &*key);
                thread::scope(|scope| {
                    let creator = held(scope, |hold| {
                        way.get_or_create(users, key, || {
                            hold.wait();
                            1
                        })
                    });
                    let waits = scope.spawn(|| way.get_or_create(users, key, || 2));
                    until_waiting(key, 1);
                    set(users, key);
                    let after = way.get_or_create(users, key, || unreachable!("it is set"));
                    assert_eq!(after, (7, Source::Fresh), "{name}");
                    assert_eq!(creator.end(), (1, Source::Created));
                    assert_eq!(waits.join().unwrap(), (1, Source::Waited));
                });
                assert_eq!(*users.get::<i32>(key).unwrap().unwrap(), 7, "{name}");
                assert!(board.stored(key).is_some());
                assert_eq!(users.stats().creations, 1);
            }
        }
    }
}

#[test]
fn a_creator_that_sets_its_own_key_leaves_what_it_set() {
    for (users, _, key) in regions("sets its own key") {
        let got = users.get_or_create(&key, || {
            users.set(&key, 7).unwrap();
            1
        });
        assert_eq!(*got.unwrap(), 1);
        assert_eq!(*users.get::<i32>(&key).unwrap().unwrap(), 7);
        let renewed = users.refresh(&key, || {
            users.set(&key, 8).unwrap();
            2
        });
        assert_eq!(*renewed.unwrap(), 2);
        assert_eq!(*users.get::<i32>(&key).unwrap().unwrap(), 8);
    }
}

#[test]
fn a_set_before_the_creator_begins_is_no_reason_not_to_store() {
    let board = Board::new("set before");
    let (users, _) = region(board.objects());
    let setting = users.clone();
    board.hook(move |call| {
        if call.starts_with("try_acquire") {
            // Of another type: no value for who creates.
            setting.set("set before", "text".to_owned()).unwrap();
        }
    });
    let got = users.get_or_create("set before", || 1).unwrap();
    assert_eq!((*got, got.source()), (1, Source::Created));
    assert_eq!(*users.get::<i32>("set before").unwrap().unwrap(), 1);
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

#[test]
fn what_another_process_deleted_meanwhile_goes_to_its_caller_and_is_neither_stored_nor_a_trouble() {
    let board = Board::new("deleted elsewhere");
    let (users, _) = region(board.bytes());
    for way in WAYS {
        let lines = logs::of(|| {
            let got = way.get_or_create(&users, "key", || {
                board.delete_elsewhere("key");
                1
            });
            assert_eq!(got, (1, Source::Created));
        });
        assert!(board.stored("key").is_none());
        let found = lines.iter().find(|line| {
            line.message == "deleted or set while it was created, not stored"
                && line.field("key") == "key"
        });
        assert!(found.is_some_and(|line| line.level == "DEBUG"), "{lines:?}");
        assert!(lines.iter().all(|line| line.level == "DEBUG"), "{lines:?}");
        // The next creation is stored.
        let got = way.get_or_create(&users, "key", || 2);
        assert_eq!(got, (2, Source::Created));
        assert!(board.stored("key").is_some());
        users.delete("key").unwrap();
    }
}
