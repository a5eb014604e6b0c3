//! Each reason for which a value is not fresh, as it is counted and logged, whichever way it is asked for.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::Arc;
use std::time::Duration;

use dogpile::{Invalidation, ManualClock, MissReason, Region, RegionConfig};
use dogpile_lock::Blocking;

use region_support::{Board, Fault, SECOND, all_misses, logs, region};

/// A key whose 300 first characters are not its first 300 bytes.
fn key() -> String {
    "ö".repeat(400)
}

/// The ways to ask for a value of that key, each a read that finds none.
const WAYS: [fn(&Region); 8] = [
    |users| drop(users.get::<i32>(&key()).unwrap()),
    |users| drop(Blocking::new().on(users.get_async::<i32>(&key())).unwrap()),
    |users| drop(users.get_multi::<i32, _>(&[key()]).unwrap()),
    |users| {
        drop(
            Blocking::new()
                .on(users.get_multi_async::<i32, _>(&[key()]))
                .unwrap(),
        )
    },
    |users| drop(users.get_or_create(key(), || 7).unwrap()),
    |users| {
        drop(
            Blocking::new()
                .on(users.get_or_create_async(key(), async || 7))
                .unwrap(),
        )
    },
    |users| {
        drop(
            users
                .get_or_create_multi(&[key()], |_| [(key(), 7)])
                .unwrap(),
        )
    },
    |users| {
        let keys = [key()];
        let made = users.get_or_create_multi_async(&keys, async |_| [(key(), 7)]);
        drop(Blocking::new().on(made).unwrap());
    },
];

/// One situation, arranged anew for each way.
struct Situation {
    reason: MissReason,
    arrange: fn(&Arc<Board>) -> (Region, ManualClock),
}

fn minute(config: RegionConfig) -> (Region, ManualClock) {
    region(
        config
            .expiration_time(60 * SECOND)
            .bypass_hold(Duration::ZERO),
    )
}

fn fail_all(board: &Board) {
    for method in ["get", "get_fresh", "get_multi", "set", "set_multi"] {
        board.fault(method, Some(Fault::Fail));
    }
}

const SITUATIONS: [Situation; 13] = [
    Situation {
        reason: MissReason::Absent,
        arrange: |board| minute(board.objects()),
    },
    Situation {
        reason: MissReason::Expired,
        arrange: |board| {
            let (users, hand) = minute(board.objects());
            users.set(key(), 1).unwrap();
            hand.advance(61 * SECOND);
            (users, hand)
        },
    },
    Situation {
        reason: MissReason::Invalidated,
        arrange: |board| {
            let (users, hand) = minute(board.objects());
            users.set(key(), 1).unwrap();
            users.invalidate(Invalidation::Hard).unwrap();
            (users, hand)
        },
    },
    Situation {
        reason: MissReason::Invalidated,
        arrange: |board| {
            let (users, hand) = minute(board.bytes());
            users.set(key(), 1).unwrap();
            users.invalidate(Invalidation::Soft).unwrap();
            (users, hand)
        },
    },
    // It is told before what is outdated by an invalidation too.
    Situation {
        reason: MissReason::Version,
        arrange: |board| {
            let (old, _) = region(board.bytes().value_version(1));
            old.set(key(), 1).unwrap();
            let (users, hand) = minute(board.bytes().value_version(2));
            users.invalidate(Invalidation::Hard).unwrap();
            (users, hand)
        },
    },
    Situation {
        reason: MissReason::Version,
        arrange: |board| {
            let (old, _) = region(board.objects().value_version(1));
            old.set(key(), 1).unwrap();
            minute(board.objects())
        },
    },
    // The version of the envelope itself, which is dogpile's.
    Situation {
        reason: MissReason::Version,
        arrange: |board| {
            board.write(&key(), br#"{"ct": 4000000000, "v": 1}|7"#);
            minute(board.bytes())
        },
    },
    Situation {
        reason: MissReason::Type,
        arrange: |board| {
            let (users, hand) = minute(board.objects());
            users.set(key(), String::from("text")).unwrap();
            (users, hand)
        },
    },
    Situation {
        reason: MissReason::Foreign,
        arrange: |board| {
            board.write(&key(), b"{\"ct\": 4000000000, \"v\": 2}|\x80\x04K\x07.");
            minute(board.bytes())
        },
    },
    Situation {
        reason: MissReason::Damaged,
        arrange: |board| {
            board.write(&key(), "text");
            minute(board.bytes())
        },
    },
    Situation {
        reason: MissReason::BackendError,
        arrange: |board| {
            let (users, hand) = minute(board.objects());
            fail_all(board);
            (users, hand)
        },
    },
    // The breaker is open, and the backend is not asked.
    Situation {
        reason: MissReason::Bypass,
        arrange: |board| {
            let (users, hand) = minute(board.objects());
            fail_all(board);
            board.fault("ping", Some(Fault::Fail));
            for _ in 0..5 {
                users.get::<i32>("other").unwrap();
            }
            (users, hand)
        },
    },
    // A value that could not be stored is held in the process: the backend gave none.
    Situation {
        reason: MissReason::Bypass,
        arrange: |board| {
            let (users, hand) = region(board.objects().bypass_hold(60 * SECOND));
            fail_all(board);
            users.get_or_create(key(), || 1).unwrap();
            (users, hand)
        },
    },
];

#[test]
fn each_reason_is_counted_and_logged_with_region_and_cut_key() {
    for (number, situation) in SITUATIONS.iter().enumerate() {
        for (way, ask) in WAYS.iter().enumerate() {
            let title = format!("{:?}, situation {number}, way {way}", situation.reason);
            let board = Board::new(&title);
            let (users, _) = (situation.arrange)(&board);
            let before = all_misses(&users);
            let lines = logs::of(|| ask(&users));
            let misses: Vec<_> = lines
                .iter()
                .filter(|line| line.message == "no fresh value")
                .collect();
            let [miss] = misses[..] else {
                panic!("{title}: {lines:#?}");
            };
            assert_eq!((&*miss.level, &*miss.target), ("DEBUG", "dogpile.cache"));
            assert_eq!(miss.field("region"), "users");
            assert_eq!(miss.field("key"), "ö".repeat(300), "{title}");
            assert_eq!(miss.field("reason"), format!("{:?}", situation.reason));
            let count = |misses: &[(MissReason, u64)]| {
                let found = misses
                    .iter()
                    .find(|(reason, _)| *reason == situation.reason);
                found.map_or(0, |(_, count)| *count)
            };
            let after = all_misses(&users);
            assert_eq!(count(&after), count(&before) + 1, "{title}: {after:?}");
        }
    }
}

#[test]
fn a_hit_is_no_miss_whichever_way_it_is_asked_for() {
    for bytes in [false, true] {
        let board = Board::new(&format!("hits {bytes}"));
        let config = if bytes {
            board.bytes()
        } else {
            board.objects()
        };
        let (users, _) = minute(config);
        users.set(key(), 1).unwrap();
        for ask in WAYS {
            let lines = logs::of(|| ask(&users));
            assert!(lines.is_empty(), "{lines:#?}");
        }
        assert_eq!(all_misses(&users), []);
        assert_eq!(users.stats().hits, 8);
    }
}
