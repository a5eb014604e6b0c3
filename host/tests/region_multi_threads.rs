//! Several keys wanted by several threads at once: for each key one creator, whoever else fails, and every key free in
//! the end.

#![forbid(unsafe_code)]

mod region_support;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;

use dogpile::{ErrorKind, OnBackendError, RegionConfig, Source};

use region_support::{Board, Fault, SECOND, memory, region, until, until_waiting};

/// How often each key was created.
#[derive(Default)]
struct Created(Mutex<HashMap<String, u32>>);

impl Created {
    fn note(&self, keys: &[&str]) {
        let mut counts = self.0.lock().unwrap();
        for key in keys {
            *counts.entry((*key).to_owned()).or_default() += 1;
        }
    }

    fn counts(&self) -> Vec<(String, u32)> {
        let mut counts: Vec<_> = self.0.lock().unwrap().clone().into_iter().collect();
        counts.sort();
        counts
    }
}

fn once(keys: &[&str]) -> Vec<(String, u32)> {
    keys.iter().map(|key| ((*key).to_owned(), 1)).collect()
}

fn lengths<'k>(keys: &[&'k str]) -> Vec<(&'k str, usize)> {
    keys.iter().map(|key| (*key, key.len())).collect()
}

/// Five threads make five creator calls in dogpile.cache: it reads before it takes its locks, and not again after.
#[test]
fn five_threads_that_miss_the_same_keys_create_each_once() {
    const KEYS: [&str; 4] = ["n1:a", "n1:bb", "n1:ccc", "n1:dddd"];
    for config in [
        RegionConfig::on("users", "memory"),
        RegionConfig::on("users", "memory").argument("storage", "bytes"),
        Board::new("n1 objects").objects(),
        Board::new("n1 bytes").bytes(),
        Board::new("n1 alone").bytes().argument("alone", true),
    ] {
        let (users, _) = region(config);
        let (created, together) = (Created::default(), Barrier::new(5));
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    together.wait();
                    let got = users.get_or_create_multi(&KEYS, |missing| {
                        created.note(missing);
                        thread::yield_now();
                        lengths(missing)
                    });
                    let got: Vec<_> = got
                        .unwrap()
                        .into_iter()
                        .map(|value| *value.unwrap())
                        .collect();
                    assert_eq!(got, [4, 5, 6, 7]);
                });
            }
        });
        assert_eq!(created.counts(), once(&KEYS));
        assert_eq!(users.stats().creations, 4);
    }
}

#[test]
fn keys_that_others_create_alone_are_waited_for_and_the_rest_is_created() {
    let (users, _) = memory();
    let (creating, is_creating) = mpsc::channel();
    thread::scope(|scope| {
        let alone = scope.spawn(|| {
            users.get_or_create("single", || {
                creating.send(()).unwrap();
                until_waiting("single", 1);
                1
            })
        });
        is_creating.recv().unwrap();
        let keys = ["other", "single"];
        let got = users.get_or_create_multi(&keys, |missing| {
            assert_eq!(missing, ["other"]);
            [("other", 2)]
        });
        let got: Vec<_> = got.unwrap().into_iter().map(Option::unwrap).collect();
        assert_eq!((*got[0], got[0].source()), (2, Source::Created));
        assert_eq!((*got[1], got[1].source()), (1, Source::Waited));
        assert_eq!(alone.join().unwrap().unwrap().source(), Source::Created);
    });
}

#[test]
fn a_single_caller_waits_for_a_key_that_is_created_with_others() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let batch = scope.spawn(|| {
            users.get_or_create_multi(&["with:a", "with:b"], |_| {
                until_waiting("with:b", 1);
                [("with:a", 1), ("with:b", 2)]
            })
        });
        until(|| users.key_is_locked("with:b").unwrap());
        let got = users.get_or_create("with:b", || -> i32 { unreachable!() });
        let got = got.unwrap();
        assert_eq!((*got, got.source()), (2, Source::Waited));
        batch.join().unwrap().unwrap();
    });
}

#[test]
fn overlapping_sets_in_any_order_end_with_one_creation_for_each_key() {
    const KEYS: [&str; 12] = [
        "o:0", "o:1", "o:2", "o:3", "o:4", "o:5", "o:6", "o:7", "o:8", "o:9", "o:10", "o:11",
    ];
    for config in [
        RegionConfig::on("users", "memory").expiration_time(SECOND),
        Board::new("overlapping").bytes().expiration_time(SECOND),
    ] {
        let (users, hand) =
            region(config.max_stale(dogpile::MaxStale::For(std::time::Duration::ZERO)));
        for _ in 0..20 {
            let (created, together) = (Created::default(), Barrier::new(8));
            thread::scope(|scope| {
                for first in 0..8 {
                    let (users, created, together) = (&users, &created, &together);
                    scope.spawn(move || {
                        // Seven of twelve, forwards or backwards.
                        let mut keys: Vec<_> = (0..7).map(|at| KEYS[(first + at) % 12]).collect();
                        if first % 2 == 0 {
                            keys.reverse();
                        }
                        together.wait();
                        let got = users.get_or_create_multi(&keys, |missing| {
                            created.note(missing);
                            lengths(missing)
                        });
                        let got = got.unwrap().into_iter().map(|value| *value.unwrap());
                        assert!(got.eq(keys.iter().map(|key| key.len())));
                    });
                }
            });
            let mut all = once(&KEYS);
            all.sort();
            assert_eq!(created.counts(), all);
            hand.advance(2 * SECOND);
        }
    }
}

#[test]
fn a_panic_goes_to_its_caller_and_frees_all_keys_for_those_who_wait() {
    const KEYS: [&str; 3] = ["panics:a", "panics:b", "panics:c"];
    let board = Board::new("multi panics");
    let (users, _) = region(board.objects());
    let created = Created::default();
    thread::scope(|scope| {
        let falls = scope.spawn(|| {
            let call = || {
                users.get_or_create_multi(&KEYS, |_| -> Vec<(&str, usize)> {
                    for key in KEYS {
                        until_waiting(key, 1);
                    }
                    panic!("the creator falls over")
                })
            };
            catch_unwind(AssertUnwindSafe(call)).is_err()
        });
        until(|| users.key_is_locked(KEYS[2]).unwrap());
        let batch = scope.spawn(|| {
            users.get_or_create_multi(&KEYS[..2], |missing| {
                created.note(missing);
                lengths(missing)
            })
        });
        let single = users.get_or_create(KEYS[2], || {
            created.note(&KEYS[2..]);
            8
        });
        assert_eq!(*single.unwrap(), 8);
        let batch = batch.join().unwrap().unwrap();
        assert!(batch.into_iter().all(|value| *value.unwrap() == 8));
        assert!(falls.join().unwrap());
    });
    assert_eq!(created.counts(), once(&KEYS));
    until(|| board.locked_keys().is_empty());
    assert!(KEYS.iter().all(|key| !users.key_is_locked(key).unwrap()));
}

#[test]
fn who_waits_for_a_key_that_is_left_out_creates_it() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let batch = scope.spawn(|| {
            users.get_or_create_multi(&["gap:a", "gap:b"], |_| {
                until_waiting("gap:b", 1);
                [("gap:a", 1)]
            })
        });
        until(|| users.key_is_locked("gap:b").unwrap());
        let got = users.get_or_create("gap:b", || 2).unwrap();
        assert_eq!((*got, got.source()), (2, Source::Created));
        let batch = batch.join().unwrap().unwrap();
        assert!(batch[0].is_some() && batch[1].is_none());
    });
}

/// dogpile.cache keeps the locks that it had already for ever.
#[test]
fn a_failure_while_the_mutexes_are_taken_frees_those_that_were() {
    const KEYS: [&str; 4] = ["d", "c", "b", "a"];
    for fault in [Fault::Fail, Fault::Panic] {
        let board = Board::new(&format!("n6 {fault:?}"));
        let (users, _) = region(board.objects().on_backend_error(OnBackendError::Fail));
        board.fault("try_acquire c", Some(fault));
        let error = users
            .get_or_create_multi(&KEYS, |_| -> Vec<(&str, usize)> { unreachable!() })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend);
        let calls = board.mutex_calls();
        let taken = calls.iter().filter(|call| call.starts_with("try_acquire"));
        assert!(
            taken.eq(["try_acquire a", "try_acquire b", "try_acquire c"].iter()),
            "{calls:?}"
        );
        board.fault("try_acquire c", None);
        // After a panic the backend is not called until it was reopened: what was taken is given back then, or passes.
        if let Fault::Fail = fault {
            until(|| board.locked_keys().is_empty());
            let got = users.get_or_create_multi(&KEYS, lengths).unwrap();
            assert!(got.iter().all(Option::is_some));
            assert!(board.locked_keys().is_empty());
        }
    }
}

#[test]
fn mutexes_are_taken_in_the_order_of_the_unmangled_keys() {
    let board = Board::new("order of locks");
    let (users, _) = region(board.objects().key_mangler("backwards").key_prefix("p:"));
    let got = users.get_or_create_multi(&["by", "ax", "cw"], |missing| {
        assert_eq!(missing, ["ax", "by", "cw"]);
        lengths(missing)
    });
    assert!(got.unwrap().iter().all(Option::is_some));
    let calls = board.mutex_calls();
    let taken = calls.iter().filter(|call| call.starts_with("try_acquire"));
    assert!(
        taken.eq(["try_acquire p:xa", "try_acquire p:yb", "try_acquire p:wc"].iter()),
        "{calls:?}"
    );
}

#[test]
fn what_another_process_creates_is_waited_for_without_holding_the_rest() {
    let board = Board::new("multi elsewhere");
    let (users, _) = region(board.objects());
    board.lock_key("elsewhere:b");
    thread::scope(|scope| {
        let batch = scope.spawn(|| {
            let keys = ["elsewhere:a", "elsewhere:b", "elsewhere:c"];
            let asked = Mutex::new(Vec::new());
            let got = users.get_or_create_multi(&keys, |missing| {
                asked.lock().unwrap().push(missing.to_vec());
                lengths(missing)
            });
            (got.unwrap(), asked.into_inner().unwrap())
        });
        // The others are created, stored and free while that one is waited for.
        until(|| board.stored("elsewhere:a").is_some() && board.stored("elsewhere:c").is_some());
        until(|| board.locked_keys() == ["elsewhere:b"]);
        assert!(users.key_is_locked("elsewhere:b").unwrap());
        board.unlock_key("elsewhere:b");
        let (got, asked) = batch.join().unwrap();
        assert!(got.into_iter().all(|value| *value.unwrap() == 11));
        assert_eq!(
            asked,
            [vec!["elsewhere:a", "elsewhere:c"], vec!["elsewhere:b"]]
        );
    });
    assert!(board.locked_keys().is_empty());
}

#[test]
fn an_error_goes_to_all_who_wait_for_one_of_the_keys() {
    let (users, _) = memory();
    let calls = AtomicU32::new(0);
    thread::scope(|scope| {
        let failing = scope.spawn(|| {
            users.try_get_or_create_multi(&["shared:a", "shared:b"], |_| {
                calls.fetch_add(1, Ordering::Relaxed);
                until_waiting("shared:a", 1);
                until_waiting("shared:b", 1);
                Err::<Vec<(&str, i32)>, _>(std::io::Error::other("no disk"))
            })
        });
        until(|| users.key_is_locked("shared:b").unwrap());
        let single = scope.spawn(|| users.get_or_create("shared:a", || -> i32 { unreachable!() }));
        // What it can create it does, and stores, though the whole call fails.
        let batch = users.get_or_create_multi(&["shared:b", "shared:own"], |missing| {
            assert_eq!(missing, ["shared:own"]);
            [("shared:own", 5)]
        });
        for error in [
            failing.join().unwrap().unwrap_err(),
            single.join().unwrap().unwrap_err(),
            batch.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Creator);
            assert!(error.creator::<std::io::Error>().is_some());
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(*users.get::<i32>("shared:own").unwrap().unwrap(), 5);
}

#[test]
fn stale_values_of_keys_that_others_create_are_served_at_once() {
    let (users, hand) = memory();
    users.set_multi([("stale:a", 1), ("stale:b", 2)]).unwrap();
    hand.advance(61 * SECOND);
    users
        .get_or_create("stale:b", || {
            thread::scope(|scope| {
                let other = scope.spawn(|| {
                    users.get_or_create_multi(&["stale:a", "stale:b"], |missing| {
                        assert_eq!(missing, ["stale:a"]);
                        [("stale:a", 3)]
                    })
                });
                let got = other.join().unwrap().unwrap();
                let got: Vec<_> = got.into_iter().map(Option::unwrap).collect();
                assert_eq!((*got[0], got[0].source()), (3, Source::Created));
                assert_eq!((*got[1], got[1].source()), (2, Source::Stale));
            });
            4
        })
        .unwrap();
    assert_eq!(users.stats().stale, 1);
}

/// It has a place in line for one key while it creates another, and must not be given the first one's turn meanwhile.
#[test]
fn a_turn_is_not_given_to_a_caller_that_is_at_work_on_other_keys() {
    let (users, _) = region(RegionConfig::on("users", "memory").lock_wait(60 * SECOND));
    thread::scope(|scope| {
        let (fall, may_fall) = mpsc::channel::<()>();
        let users = &users;
        let falls = scope.spawn(move || {
            users.get_or_create("busy:b", || -> usize {
                let _told = may_fall.recv();
                panic!("the creator falls over")
            })
        });
        until(|| users.key_is_locked("busy:b").unwrap());
        let got = users.get_or_create_multi(&["busy:a", "busy:b"], |missing| {
            assert_eq!(missing, ["busy:a"]);
            fall.send(()).unwrap();
            // Whoever else wants that key, the creator's own call among them, has it created.
            let other = users.get_or_create("busy:b", || 7).unwrap();
            assert_eq!(*other, 7);
            [("busy:a", 1)]
        });
        let got = got.unwrap().into_iter().map(|value| *value.unwrap());
        assert!(got.eq([1, 7]));
        assert!(falls.join().is_err());
    });
}

#[test]
fn a_creator_of_several_keys_that_asks_for_one_of_them_gets_an_error() {
    let (users, _) = memory();
    let got = users.get_or_create_multi(&["self:a", "self:b"], |missing| {
        let own = users.get_or_create("self:b", || -> usize { unreachable!() });
        assert_eq!(own.unwrap_err().kind(), ErrorKind::Circle);
        let own = users.get_or_create_multi(&["self:a", "self:free"], |_| -> Vec<(&str, usize)> {
            unreachable!()
        });
        assert_eq!(own.unwrap_err().kind(), ErrorKind::Circle);
        assert!(!users.key_is_locked("self:free").unwrap());
        lengths(missing)
    });
    assert!(got.unwrap().iter().all(Option::is_some));
}
