//! What lies under a region's keys and is not its own: Python's pickles, which stay, and what is damaged, which goes.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::Arc;

use dogpile::{ManualClock, MissReason, Region, SerializerKind, Source};

use region_support::logs::{self, Line};
use region_support::{Board, Fault, SECOND, all_misses, misses, region};

/// `region.set("1", {"id": 7})` of dogpile.cache 1.5.0 with its default serializer, `time.time()` being 4000000000.25.
const PICKLED: &[u8] = b"{\"ct\": 4000000000.25, \"v\": 2}|\
    \x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x02id\x94K\x07s.";

/// Pickles: of a payload, and of all that is stored.
const FOREIGN: [&[u8]; 2] = [PICKLED, b"\x80\x04\x95\x10|\x00"];

/// Nothing that anybody can read.
const DAMAGED: [&[u8]; 11] = [
    b"",
    b"|",
    b"7",
    b"\xff\xfe|7",
    b"\x28\xb5\x2f\xfdno frame",
    b"{}|7",
    b"[1, 2]|7",
    b"{\"ct\": null, \"v\": 2}|7",
    b"{\"ct\": 4000000000, \"v\": 2}|{",
    b"{\"ct\": Infinity, \"v\": 2}|7",
    b"{\"ct\": 4000000000, \"v\": 2",
];

fn bytes(name: &str) -> (Arc<Board>, Region, ManualClock) {
    let board = Board::new(name);
    let (users, hand) = region(board.bytes().expiration_time(60 * SECOND));
    hand.advance(SECOND);
    (board, users, hand)
}

#[test]
fn what_is_foreign_is_a_miss_and_is_not_stored_over() {
    let (board, users, _) = bytes("foreign stays");
    for stored in FOREIGN {
        let shown = String::from_utf8_lossy(stored);
        board.write("1", stored);
        let before = misses(&users, MissReason::Foreign);
        assert!(users.get::<i32>("1").unwrap().is_none(), "{shown}");
        for number in 0..2 {
            let made = users.get_or_create("1", || number).unwrap();
            assert_eq!((*made, made.source()), (number, Source::Created), "{shown}");
        }
        assert_eq!(misses(&users, MissReason::Foreign), before + 3, "{shown}");
        assert_eq!(board.stored("1").unwrap().as_bytes(), Some(stored));
        assert_eq!(users.get_payload("1").unwrap().map(|found| found.bytes), {
            // An envelope is ours to show, whatever it holds.
            (stored == PICKLED).then(|| PICKLED[PICKLED.len() - 22..].to_vec())
        });
    }
    assert_eq!(users.stats().errors, 0);
    assert_eq!(all_misses(&users).len(), 1);
}

#[test]
fn what_is_foreign_is_stored_over_where_the_region_says_so() {
    let board = Board::new("foreign goes");
    let (users, hand) = region(board.bytes().replace_foreign(true));
    hand.advance(SECOND);
    for stored in FOREIGN {
        board.write("1", stored);
        assert_eq!(*users.get_or_create("1", || 7).unwrap(), 7);
        assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
    }
    assert_eq!(
        all_misses(&users),
        [(MissReason::Foreign, FOREIGN.len() as u64)]
    );
}

#[test]
fn what_is_damaged_is_a_miss_with_its_cause_and_is_replaced() {
    let (board, users, _) = bytes("damaged goes");
    for stored in DAMAGED {
        let shown = String::from_utf8_lossy(stored);
        board.write("1", stored);
        let lines = logs::of(|| {
            let made = users.get_or_create("1", || 7).unwrap();
            assert_eq!((*made, made.source()), (7, Source::Created), "{shown}");
        });
        let cause = lines
            .iter()
            .find(|line| line.message == "a stored value cannot be read");
        let cause = cause.unwrap_or_else(|| panic!("{shown}: {lines:#?}"));
        assert_eq!((&*cause.level, &*cause.target), ("DEBUG", "dogpile.cache"));
        assert_eq!(
            (&*cause.field("region"), &*cause.field("key")),
            ("users", "1")
        );
        assert_eq!(cause.field("reason"), "Damaged");
        assert!(!cause.field("cause").is_empty());
        assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 7, "{shown}");
    }
    board.write("1", b"{\"ct\": 4000000000, \"v\": 1}|7");
    assert_eq!(*users.get_or_create("1", || 8).unwrap(), 8);
    assert_eq!(*users.get::<i32>("1").unwrap().unwrap(), 8);
    let damaged = DAMAGED.len() as u64;
    let expected = [(MissReason::Damaged, damaged), (MissReason::Version, 1)];
    assert_eq!(all_misses(&users), expected);
}

#[test]
fn a_pickle_stays_when_the_second_read_fails() {
    let (board, users, _) = bytes("foreign unread");
    board.fault("get_fresh", Some(Fault::Fail));
    for key in ["1", "2"] {
        board.write(key, PICKLED);
        if key == "1" {
            users.get_or_create("1", || 7).unwrap();
        } else {
            users.get_or_create_multi(&["2"], |_| [("2", 7)]).unwrap();
        }
        assert_eq!(board.stored(key).unwrap().as_bytes(), Some(PICKLED));
    }
    // Nor is one stored over that was never read, in a region that is known to have some.
    for method in ["get", "get_multi"] {
        board.fault(method, Some(Fault::Fail));
    }
    for key in ["3", "4"] {
        board.write(key, PICKLED);
        if key == "3" {
            users.get_or_create("3", || 7).unwrap();
        } else {
            users.get_or_create_multi(&["4"], |_| [("4", 7)]).unwrap();
        }
        assert_eq!(board.stored(key).unwrap().as_bytes(), Some(PICKLED));
    }
}

#[test]
fn a_set_replaces_whatever_is_there() {
    let (board, users, _) = bytes("foreign set");
    for set in [
        |users: &Region| drop(users.set("1", 7).unwrap()),
        |users: &Region| drop(users.entry("1").set(7).unwrap()),
        |users: &Region| users.set_payload("1", b"7").unwrap(),
    ] {
        board.write("1", PICKLED);
        set(&users);
        assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
    }
}

#[test]
fn a_refresh_replaces_whatever_is_there() {
    let (board, users, _) = bytes("foreign refresh");
    board.write("1", PICKLED);
    users.refresh("1", || 7).unwrap();
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
}

#[test]
fn of_several_keys_only_those_with_something_foreign_are_not_stored() {
    let (board, users, _) = bytes("foreign multi");
    board.write("2", PICKLED);
    let keys = ["1", "2", "3"];
    for expected in [&["1", "2", "3"][..], &["2"]] {
        let mut asked = Vec::new();
        let made = users.get_or_create_multi(&keys, |missing| {
            asked.extend(missing.to_vec());
            missing.iter().map(|key| (*key, 7)).collect::<Vec<_>>()
        });
        assert!(
            made.unwrap()
                .iter()
                .all(|value| value.as_deref() == Some(&7))
        );
        assert_eq!(asked, expected);
    }
    assert_eq!(board.stored("2").unwrap().as_bytes(), Some(PICKLED));
    users.set_multi([("2", 7)]).unwrap();
    assert_eq!(users.get::<i32>("2").unwrap().as_deref(), Some(&7));
}

#[test]
fn what_is_no_longer_foreign_when_it_is_read_again_is_stored_over() {
    let (board, users, _) = bytes("foreign no more");
    board.write("1", PICKLED);
    let inner = Arc::clone(&board);
    board.hook(move |call| {
        if call == "get_fresh 1" {
            inner.remove("1");
        }
    });
    assert_eq!(*users.get_or_create("1", || 7).unwrap(), 7);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
}

#[test]
fn an_expired_pickle_is_no_less_foreign() {
    let (board, users, hand) = bytes("foreign expired");
    board.write("1", PICKLED);
    hand.advance(1000 * SECOND);
    assert_eq!(*users.get_or_create("1", || 7).unwrap(), 7);
    assert_eq!(all_misses(&users), [(MissReason::Foreign, 1)]);
    assert_eq!(board.stored("1").unwrap().as_bytes(), Some(PICKLED));
}

#[test]
fn a_pickle_is_foreign_to_every_serializer_that_cannot_read_it() {
    let board = Board::new("foreign to all");
    for kind in [SerializerKind::MessagePack, SerializerKind::Raw] {
        let (users, hand) = region(board.bytes().serializer(kind));
        hand.advance(SECOND);
        board.write("1", PICKLED);
        let make = || String::from("made");
        assert_eq!(*users.get_or_create("1", make).unwrap(), "made");
        assert_eq!(all_misses(&users), [(MissReason::Foreign, 1)], "{kind}");
        assert_eq!(board.stored("1").unwrap().as_bytes(), Some(PICKLED));
    }
    let (users, hand) = region(board.bytes().serializer(SerializerKind::Raw));
    hand.advance(SECOND);
    let raw = users.get::<Vec<u8>>("1").unwrap().unwrap();
    assert_eq!(raw[..2], [0x80, 0x04]);
}

#[test]
fn the_region_warns_once_and_tells_each_miss_for_debugging() {
    let (board, users, _) = bytes("foreign logs");
    let long = format!("{}é{}", "k".repeat(299), "rest".repeat(100));
    let lines = logs::of(|| {
        for key in [&*long, "2"] {
            board.write(key, PICKLED);
            for _ in 0..2 {
                users.get_or_create(key, || 7).unwrap();
            }
        }
    });
    let warnings: Vec<&Line> = lines.iter().filter(|line| line.level == "WARN").collect();
    let [warning] = warnings[..] else {
        panic!("{lines:#?}");
    };
    let cut = &long[..301];
    assert_eq!(
        (&*warning.target, &*warning.field("key")),
        ("dogpile.cache", cut)
    );
    assert_eq!(warning.field("region"), "users");
    for word in ["replace_foreign = true", "Python", "key_prefix"] {
        assert!(warning.message.contains(word), "{warning:?}");
    }
    let misses: Vec<&Line> = lines
        .iter()
        .filter(|line| line.message == "no fresh value")
        .collect();
    assert_eq!(misses.len(), 4);
    for miss in &misses {
        assert_eq!((&*miss.level, &*miss.target), ("DEBUG", "dogpile.cache"));
        assert_eq!(
            (&*miss.field("region"), &*miss.field("reason")),
            ("users", "Foreign")
        );
    }
    assert_eq!(
        (&*misses[0].field("key"), &*misses[3].field("key")),
        (cut, "2")
    );
}

#[test]
fn a_region_that_stores_over_them_does_not_warn() {
    let board = Board::new("foreign without warning");
    let (users, _) = region(board.bytes().replace_foreign(true));
    board.write("1", PICKLED);
    let lines = logs::of(|| drop(users.get_or_create("1", || 7).unwrap()));
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| line.level == "DEBUG"), "{lines:?}");
}
