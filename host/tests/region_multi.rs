//! Calls with several keys: what they give, in which order, and what they ask of the backend.

#![forbid(unsafe_code)]

mod region_support;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dogpile::{Cached, ErrorKind, MissReason, OnBackendError, Region, Source};

use region_support::{Board, Fault, SECOND, after, all_misses, memory, region};

fn values<T: Copy + Send + Sync + 'static>(cached: &[Option<Cached<T>>]) -> Vec<Option<T>> {
    cached
        .iter()
        .map(|value| value.as_ref().map(|value| **value))
        .collect()
}

fn sources<T: Send + Sync + 'static>(cached: &[Option<Cached<T>>]) -> Vec<Option<Source>> {
    cached
        .iter()
        .map(|value| value.as_ref().map(Cached::source))
        .collect()
}

/// As many regions as there are ways to hold values, each on a board of its own.
fn regions(name: &str) -> [(Region, Arc<Board>); 2] {
    [false, true].map(|bytes| {
        let board = Board::new(&format!("{name} {bytes}"));
        let config = if bytes {
            board.bytes()
        } else {
            board.objects()
        };
        let config = config.argument("alone", true);
        let (users, _) = region(config.expiration_time(60 * SECOND));
        (users, board)
    })
}

#[test]
fn missing_keys_are_asked_for_once_each_and_given_in_the_callers_order_with_repetitions() {
    for (users, _) in regions("order") {
        users.set("present", 7).unwrap();
        let asked = RefCell::new(Vec::new());
        let keys = ["c", "present", "a", "c", "b", "a"];
        let got = users
            .get_or_create_multi(&keys, |missing| {
                asked.borrow_mut().extend(missing.to_vec());
                [("b", 2), ("a", 1), ("c", 3)]
            })
            .unwrap();
        assert_eq!(values(&got), [3, 7, 1, 3, 2, 1].map(Some));
        // The order of their bytes, in which dogpile takes its locks.
        assert_eq!(*asked.borrow(), ["a", "b", "c"]);
        let created = Some(Source::Created);
        let fresh = Some(Source::Fresh);
        assert_eq!(
            sources(&got),
            [created, fresh, created, created, created, created]
        );
        let again = users.get_or_create_multi(&keys, |_| -> [(&str, i32); 0] { unreachable!() });
        assert_eq!(values(&again.unwrap()), [3, 7, 1, 3, 2, 1].map(Some));
        assert_eq!(users.stats().creations, 3);
    }
}

#[test]
fn all_is_read_with_one_call_and_stored_with_one_call() {
    for (users, board) in regions("calls") {
        users.set("b", 2).unwrap();
        board.calls();
        let make = |missing: &[&'static str]| {
            let missing = missing.iter().map(|key| (*key, 1));
            missing.collect::<Vec<_>>()
        };
        users.get_or_create_multi(&["c", "b", "a"], make).unwrap();
        assert_eq!(
            board.calls(),
            ["get_multi a b c", "get_multi_fresh a c", "set_multi a c"]
        );
        users.get_or_create_multi(&["c", "b", "a"], make).unwrap();
        users.get_multi::<i32, _>(&["b", "a", "b"]).unwrap();
        users.set_multi([("y", 1), ("x", 2)]).unwrap();
        users.delete_multi(&["b", "a", "b"]).unwrap();
        assert_eq!(
            board.calls(),
            [
                "get_multi a b c",
                "get_multi a b",
                "set_multi y x",
                "delete_multi a b"
            ]
        );
        assert!(board.stored("a").is_none() && board.stored("c").is_some());
    }
}

#[test]
fn a_read_counts_what_it_found_and_what_it_missed_key_by_key() {
    for (users, _) in regions("counted") {
        users.set_multi([("a", 1), ("b", 2)]).unwrap();
        assert_eq!(
            users.get_multi::<i32, _>(&["a", "b", "c"]).unwrap().len(),
            3
        );
        assert_eq!(users.stats().hits, 2);
        assert_eq!(all_misses(&users), [(MissReason::Absent, 1)]);
        let read = users.get_multi_async::<i32, _>(&["c", "a"]);
        assert_eq!(
            values(&futures_executor::block_on(read).unwrap()),
            [None, Some(1)]
        );
        users
            .get_or_create_multi(&["b", "d"], |missing| {
                missing.iter().map(|key| (*key, 4)).collect::<Vec<_>>()
            })
            .unwrap();
        assert_eq!(users.stats().hits, 4);
        assert_eq!(all_misses(&users), [(MissReason::Absent, 3)]);
    }
}

#[test]
fn what_is_created_under_the_mutexes_of_its_keys_is_stored_with_one_call_too() {
    let board = Board::new("guarded together");
    let (users, _) = region(board.bytes());
    let keys: Vec<String> = (0..100).map(|key| format!("k{key:02}")).collect();
    board.calls();
    let made = users.get_or_create_multi(&keys, |missing| {
        // Those leases are lost meanwhile.
        board.take_over("k07");
        board.take_over("k31");
        missing
            .iter()
            .map(|key| (key.clone(), 1))
            .collect::<Vec<_>>()
    });
    assert!(made.unwrap().iter().all(Option::is_some));
    let all = keys.join(" ");
    let calls = ["get_multi", "get_multi_fresh", "set_guarded_multi"];
    assert_eq!(board.calls(), calls.map(|method| format!("{method} {all}")));
    let unstored: Vec<_> = keys
        .iter()
        .filter(|key| board.stored(key).is_none())
        .collect();
    assert_eq!(unstored, ["k07", "k31"]);
}

#[test]
fn one_key_that_cannot_be_stored_keeps_none_of_the_others_away() {
    let board = Board::new("one refused");
    let (users, _) = region(board.bytes());
    board.fault("set_guarded_multi", Some(Fault::Refuse));
    board.fault("set b", Some(Fault::Refuse));
    let made = users.get_or_create_multi(&["a", "b", "c"], |_| [("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!(values(&made.unwrap()), [1, 2, 3].map(Some));
    assert_eq!(
        ["a", "b", "c"].map(|key| board.stored(key).is_some()),
        [true, false, true]
    );
    // Held in the process, as what cannot be stored is.
    assert_eq!(users.stats().store_errors, 1);
}

#[test]
fn no_keys_are_no_call() {
    for (users, board) in regions("none") {
        board.calls();
        let none: [&str; 0] = [];
        let create =
            |_: &[&str]| -> Vec<(&str, i32)> { unreachable!("there is nothing to create") };
        assert_eq!(users.get_multi::<i32, _>(&none).unwrap().len(), 0);
        assert_eq!(users.get_or_create_multi(&none, create).unwrap().len(), 0);
        users.delete_multi(&none).unwrap();
        users.set_multi(none.map(|key| (key, 1))).unwrap();
        assert!(board.calls().is_empty());
    }
}

#[test]
fn what_a_creator_leaves_out_is_nothing_and_not_stored() {
    for (users, board) in regions("left out") {
        let partial = |_: &[&'static str]| [("a", 1), ("c", 3)];
        let got = users.get_or_create_multi(&["a", "b", "c", "b"], partial);
        assert_eq!(values(&got.unwrap()), [Some(1), None, Some(3), None]);
        assert!(board.stored("b").is_none());
        assert!(!users.key_is_locked("b").unwrap());
        assert_eq!(users.stats().creations, 2);
        let nothing = |_: &[&'static str]| -> [(&str, i32); 0] { [] };
        let got = users.get_or_create_multi(&["b", "d"], nothing).unwrap();
        assert_eq!(values(&got), [None, None]);
        assert_eq!(*users.get_or_create("b", || 2).unwrap(), 2);
    }
}

#[test]
fn what_a_creator_was_not_asked_for_is_not_used() {
    for (users, board) in regions("unasked") {
        users.set("present", 7).unwrap();
        let more = |_: &[&'static str]| [("a", 1), ("other", 2), ("present", 8)];
        let got = users.get_or_create_multi(&["a", "present"], more).unwrap();
        assert_eq!(values(&got), [Some(1), Some(7)]);
        assert!(board.stored("other").is_none());
        assert_eq!(*users.get::<i32>("present").unwrap().unwrap(), 7);
    }
}

#[test]
fn each_value_is_stored_only_if_it_should_be() {
    for (users, board) in regions("should cache") {
        let keys = ["1", "2", "3", "4"];
        let entries = || {
            users
                .entries(&keys)
                .should_cache(|value: &u32| value.is_multiple_of(2))
        };
        let parse = |missing: &[&'static str]| {
            let missing = missing
                .iter()
                .map(|key| (*key, key.parse::<u32>().unwrap()));
            missing.collect::<Vec<_>>()
        };
        let got = entries().get_or_create(parse).unwrap();
        assert_eq!(values(&got), [1, 2, 3, 4].map(Some));
        assert_eq!(
            keys.map(|key| board.stored(key).is_some()),
            [false, true, false, true]
        );
        let asked = RefCell::new(Vec::new());
        let note = |missing: &[&'static str]| {
            asked.borrow_mut().extend(missing.to_vec());
            parse(missing)
        };
        entries().get_or_create(note).unwrap();
        assert_eq!(*asked.borrow(), ["1", "3"]);
    }
}

#[test]
fn a_batch_has_one_creation_time() {
    for bytes in [false, true] {
        let board = Board::new(&format!("one time {bytes}"));
        let config = if bytes {
            board.bytes()
        } else {
            board.objects()
        };
        let (users, hand) = region(config);
        users
            .get_or_create_multi(&["a", "b", "c"], |missing| {
                let made: Vec<_> = missing
                    .iter()
                    .map(|key| {
                        hand.advance(SECOND);
                        (*key, 1)
                    })
                    .collect();
                made
            })
            .unwrap();
        let slow = ["x", "y", "z"].into_iter().map(|key| {
            hand.advance(SECOND);
            (key, 1)
        });
        users.set_multi(slow).unwrap();
        let times =
            |keys: [&str; 3]| keys.map(|key| users.get::<i32>(key).unwrap().unwrap().cached_time());
        // The end of the creation.
        assert_eq!(times(["a", "b", "c"]), [after(3); 3]);
        let stored = times(["x", "y", "z"]);
        assert!(stored.iter().all(|time| *time == stored[0]), "{stored:?}");
    }
}

#[test]
fn expired_and_missing_keys_are_created_and_fresh_ones_served() {
    for bytes in [false, true] {
        let board = Board::new(&format!("mixed {bytes}"));
        let config = if bytes {
            board.bytes()
        } else {
            board.objects()
        };
        let (users, hand) = region(config.expiration_time(60 * SECOND));
        users.set_multi([("a", 1), ("b", 2)]).unwrap();
        hand.advance(61 * SECOND);
        users.set("b", 3).unwrap();
        assert_eq!(
            values(&users.get_multi::<i32, _>(&["a", "b", "c"]).unwrap()),
            [None, Some(3), None]
        );
        let made = users.get_or_create_multi(&["a", "b", "c"], |missing| {
            assert_eq!(missing, ["a", "c"]);
            [("a", 4), ("c", 5)]
        });
        assert_eq!(values(&made.unwrap()), [4, 3, 5].map(Some));
        assert_eq!(
            all_misses(&users),
            [(MissReason::Absent, 2), (MissReason::Expired, 2)]
        );
    }
}

#[test]
fn a_call_has_an_expiration_time_of_its_own() {
    let (users, hand) = memory();
    users.set_multi([("a", 1), ("b", 2)]).unwrap();
    hand.advance(10 * SECOND);
    let keys = ["a", "b"];
    let short = || users.entries(&keys).expiration_time(5 * SECOND);
    assert_eq!(values(&short().get::<i32>().unwrap()), [None, None]);
    let got = futures_executor::block_on(short().get_async::<i32>());
    assert_eq!(values(&got.unwrap()), [None, None]);
    assert_eq!(
        values(&users.get_multi::<i32, _>(&keys).unwrap()),
        [1, 2].map(Some)
    );
    let made = short().get_or_create(|_| [("a", 3), ("b", 4)]).unwrap();
    assert_eq!(values(&made), [3, 4].map(Some));
    hand.advance(100 * SECOND);
    let never = users
        .entries(&keys)
        .expiration_time(dogpile::Expiration::Never);
    assert_eq!(values(&never.get::<i32>().unwrap()), [3, 4].map(Some));
}

#[test]
fn values_of_another_type_are_created_anew() {
    for (users, _) in regions("types") {
        users.set("a", String::from("one")).unwrap();
        users.set("b", 2).unwrap();
        let got = users.get_multi::<i32, _>(&["a", "b"]).unwrap();
        assert_eq!(values(&got), [None, Some(2)]);
        let made = users
            .get_or_create_multi(&["a", "b"], |_| [("a", 1)])
            .unwrap();
        assert_eq!(values(&made), [1, 2].map(Some));
    }
}

#[test]
fn an_error_is_the_whole_calls_and_every_key_is_free_after_it() {
    for (users, board) in regions("error") {
        users.set("b", 2).unwrap();
        let keys = ["a", "b", "c"];
        let failing = |_: &[&'static str]| Err::<Vec<(&str, i32)>, _>("no rows today");
        let error = users.try_get_or_create_multi(&keys, failing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Creator);
        assert!(error.to_string().contains("no rows today"), "{error}");
        assert!(keys.iter().all(|key| !users.key_is_locked(key).unwrap()));
        assert!(board.locked_keys().is_empty());
        assert!(board.stored("a").is_none() && board.stored("c").is_none());
        let good = |_: &[&'static str]| Ok::<_, String>([("a", 1), ("c", 3)]);
        let made = users.try_get_or_create_multi(&keys, good).unwrap();
        assert_eq!(values(&made), [1, 2, 3].map(Some));
        assert_eq!(users.stats().errors, 1);
    }
}

#[test]
fn a_backend_that_fails_is_as_if_empty_for_all_keys() {
    let board = Board::new("multi bypass");
    let (users, hand) = region(board.objects().argument("alone", true).bypass_hold(SECOND));
    users.set("a", 7).unwrap();
    for method in ["get_multi", "get_multi_fresh", "get_fresh", "set_multi"] {
        board.fault(method, Some(Fault::Fail));
    }
    let called = Cell::new(0);
    let call = || {
        let made = users.get_or_create_multi(&["a", "b"], |_| {
            called.set(called.get() + 1);
            [("a", 1), ("b", 2)]
        });
        values(&made.unwrap())
    };
    assert_eq!(call(), [1, 2].map(Some));
    // Held in the process for `bypass_hold`.
    assert_eq!(call(), [1, 2].map(Some));
    assert_eq!(called.get(), 1);
    hand.advance(SECOND);
    assert_eq!(call(), [1, 2].map(Some));
    assert_eq!(called.get(), 2);
    // The second call's read was the fifth failure in a row: the third one's is not made.
    assert_eq!(
        all_misses(&users),
        [(MissReason::BackendError, 2), (MissReason::Bypass, 4)]
    );
}

#[test]
fn typed_keys_come_back_to_their_creator() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct UserId(u32);
    impl dogpile::CacheKey for UserId {
        fn cache_key(&self) -> std::borrow::Cow<'_, str> {
            format!("user:{}", self.0).into()
        }
    }
    let (users, _) = memory();
    let got = users
        .get_or_create_multi(&[UserId(10), UserId(9)], |missing| {
            assert_eq!(missing, [UserId(10), UserId(9)]);
            missing.iter().map(|id| (*id, id.0)).collect::<Vec<_>>()
        })
        .unwrap();
    assert_eq!(values(&got), [10, 9].map(Some));
    assert_eq!(*users.get::<u32>("user:9").unwrap().unwrap(), 9);
}

#[test]
fn a_key_that_cannot_be_read_again_is_no_reason_to_create_the_others() {
    let board = Board::new("one unread");
    let (users, _) = region(board.objects());
    let inner = Arc::clone(&board);
    let other = users.clone();
    let first = AtomicBool::new(true);
    board.hook(move |call| {
        // Another caller stores one of them after the first read.
        if call.starts_with("get_multi_fresh") && first.swap(false, Ordering::SeqCst) {
            other.set("a", 1).unwrap();
            inner.fault("get_multi_fresh", Some(Fault::Fail));
            inner.fault("get_fresh b", Some(Fault::Fail));
        }
    });
    let made = users.get_or_create_multi(&["a", "b"], |missing| {
        assert_eq!(missing, ["b"]);
        [("b", 2)]
    });
    assert_eq!(values(&made.unwrap()), [1, 2].map(Some));
}

/// A value that cannot be written where it is even.
#[derive(Debug, serde::Deserialize)]
struct Odd(u32);

impl serde::Serialize for Odd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(2) {
            return Err(serde::ser::Error::custom("it is even"));
        }
        serializer.serialize_u32(self.0)
    }
}

#[test]
fn one_key_that_cannot_be_written_keeps_none_of_the_others_away() {
    for keys in [["1", "2", "3"], ["2", "1", "3"]] {
        let board = Board::new(&format!("one unwritten {keys:?}"));
        let (users, _) = region(board.bytes().on_backend_error(OnBackendError::Fail));
        let made = users.get_or_create_multi(&keys, |missing| {
            let made = missing.iter().map(|key| (*key, Odd(key.parse().unwrap())));
            made.collect::<Vec<_>>()
        });
        let error = made.unwrap_err().to_string();
        assert!(error.contains("it is even"), "{error}");
        let stored = ["1", "2", "3"].map(|key| board.stored(key).is_some());
        assert_eq!(stored, [true, false, true]);
    }
}
