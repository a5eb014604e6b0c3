//! Calls with several keys of which one fails: what that is to whoever waits for the others, and for what the creator
//! leaves out.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use dogpile::{Cached, ErrorKind, Invalidation, OnBackendError, Region, Source};

use region_support::{Board, Fault, memory, region, until_waiting};

/// A call of the keys `a`, `b` and `c` of `name`, in which the backend's call `fails` of the second, and the calls of all of
/// them together in `together`, while another caller waits for each. Gives what the creator was asked for, and where what
/// the other callers of the first and the third got is from; the second has the same error as the call.
fn with_a_fault(
    name: &str,
    alone: bool,
    fails: &str,
    together: &[&str],
) -> (Vec<String>, [Source; 2]) {
    let board = Board::new(name);
    let config = board.objects().argument("alone", alone);
    let (users, _) = region(config.on_backend_error(OnBackendError::Fail));
    let keys = ["a", "b", "c"].map(|key| format!("{name}:{key}"));
    let fault = format!("{fails} {}", keys[1]);
    let fails_before_it_creates = fails != "set";
    let (met, is_met) = mpsc::channel();
    let begun = met.clone();
    for call in together {
        board.fault(call, Some(Fault::Refuse));
    }
    board.fault(&fault, Some(Fault::Refuse));
    let waited_for = keys.clone();
    board.hook(move |call| {
        if call == fault && fails_before_it_creates {
            // Only the call with several keys gets here: the other caller of this one has its error.
            met.send(()).unwrap();
            for key in &waited_for {
                until_waiting(key, 1);
            }
        }
    });
    let mut asked = Vec::new();
    let sources = thread::scope(|scope| {
        let call = scope.spawn(|| {
            users.get_or_create_multi(&keys, |missing| {
                asked.extend(missing.iter().cloned());
                begun.send(()).unwrap();
                for key in &keys {
                    until_waiting(key, 1);
                }
                missing
                    .iter()
                    .map(|key| (key.clone(), 1))
                    .collect::<Vec<_>>()
            })
        });
        is_met.recv().unwrap();
        let others = [0, 1, 2].map(|at| {
            let (users, key) = (&users, &keys[at]);
            scope.spawn(move || users.get_or_create(key, || 2))
        });
        let error = call.join().unwrap().unwrap_err();
        let [a, b, c] = others.map(|other| other.join().unwrap());
        assert_eq!(error.kind(), ErrorKind::Backend);
        assert_eq!(b.unwrap_err().to_string(), error.to_string());
        let source = |got: dogpile::Result<Cached<i32>>| got.unwrap().source();
        [source(a), source(c)]
    });
    let asked = asked.iter().map(|key| key[name.len() + 1..].to_owned());
    (asked.collect(), sources)
}

#[test]
fn a_key_whose_lock_or_read_fails_leaves_the_others_to_who_waits_for_them() {
    let (lock, read) = ("try_acquire", "get_fresh");
    for (name, alone, fails, together) in [
        ("one lock", false, lock, &[][..]),
        ("one read", true, read, &["get_multi_fresh"]),
    ] {
        let (asked, sources) = with_a_fault(name, alone, fails, together);
        assert!(
            asked.is_empty(),
            "{name}: nothing is created for a call that has failed"
        );
        assert_eq!(sources, [Source::Created; 2], "{name}");
    }
}

#[test]
fn a_key_whose_store_fails_leaves_the_others_with_their_values() {
    for (name, alone, together) in [
        ("one store", true, ["set_multi"]),
        ("one guarded store", false, ["set_guarded_multi"]),
    ] {
        let (asked, sources) = with_a_fault(name, alone, "set", &together);
        assert_eq!(asked, ["a", "b", "c"], "{name}");
        assert_eq!(sources, [Source::Waited; 2], "{name}");
    }
}

/// What a call with the second of two keys gets, whose creator left it out; `meanwhile` comes before that call.
fn beside_one_left_out(users: &Region, name: &str, meanwhile: impl FnOnce()) -> Option<Source> {
    let keys = ["a", "b"].map(|key| format!("{name}:{key}"));
    let (creating, is_creating) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            users.get_or_create_multi(&keys, move |missing| {
                assert_eq!(missing.len(), 2);
                creating.send(()).unwrap();
                may_go.recv().unwrap();
                [(missing[0].clone(), 1)]
            })
        });
        is_creating.recv().unwrap();
        meanwhile();
        let second = scope.spawn(|| {
            let got = users.get_or_create_multi(&keys[1..], |missing| [(missing[0].clone(), 2)]);
            got.unwrap().remove(0).map(|got| got.source())
        });
        until_waiting(&keys[1], 1);
        go.send(()).unwrap();
        let first = first.join().unwrap().unwrap();
        assert_eq!(
            first.iter().map(|got| got.as_deref()).collect::<Vec<_>>(),
            [Some(&1), None]
        );
        second.join().unwrap()
    })
}

#[test]
fn what_was_left_out_before_an_invalidation_is_created_for_who_comes_after_it() {
    let (users, _) = memory();
    let got = beside_one_left_out(&users, "left out", || {});
    assert_eq!(got, None);
    let soft = || users.invalidate(Invalidation::Soft).unwrap();
    assert_eq!(beside_one_left_out(&users, "left out softly", soft), None);
    let hard = || users.invalidate(Invalidation::Hard).unwrap();
    let got = beside_one_left_out(&users, "left out hard", hard);
    assert_eq!(got, Some(Source::Created));
}

/// Another thread begins to create `key` as text, and ends when so many callers have lined up for it.
fn create_as_text(users: &Region, key: &'static str, callers: usize) {
    let (creating, is_creating) = mpsc::channel();
    let users = users.clone();
    thread::spawn(move || {
        users.get_or_create(key, || {
            creating.send(()).unwrap();
            until_waiting(key, callers);
            String::from("text")
        })
    });
    is_creating.recv().unwrap();
}

/// The first key in the first round, the second in the next: none of them twice.
#[test]
fn each_key_may_be_of_another_type_once() {
    let board = Board::new("types by turns");
    let (users, _) = region(board.bytes().argument("alone", true));
    let [a, b] = ["types by turns:a", "types by turns:b"];
    // What the second comes to in the first round is outdated.
    create_as_text(&users, b, 1);
    users.invalidate(Invalidation::Hard).unwrap();
    create_as_text(&users, a, 1);
    let (reads, own) = (AtomicU32::new(0), users.clone());
    let read = format!("get_multi {a} {b}");
    board.hook(move |call| {
        if call == read && reads.fetch_add(1, Ordering::SeqCst) == 1 {
            create_as_text(&own, b, 2);
        }
    });
    let mut asked = Vec::new();
    let got = users.get_or_create_multi(&[a, b], |missing| {
        asked.push(missing.to_vec());
        missing.iter().map(|key| (*key, 1)).collect::<Vec<_>>()
    });
    let got = got.unwrap().into_iter().map(|got| got.map(|got| *got));
    assert_eq!(got.collect::<Vec<_>>(), [Some(1), Some(1)]);
    assert_eq!(asked, [[a], [b]]);
}
