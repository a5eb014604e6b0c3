//! What a region stores in a backend of bytes, and what it makes of bytes that it finds there.

#![forbid(unsafe_code)]

mod region_support;

use std::collections::HashMap;
use std::sync::Arc;

use dogpile::{ErrorKind, Invalidation, ManualClock, MissReason, Region, Source};

use region_support::{Board, SECOND, START, all_misses, beside_a_creation, misses, region};

fn bytes(name: &str) -> (Arc<Board>, Region, ManualClock) {
    let board = Board::new(name);
    let (users, hand) = region(board.bytes().expiration_time(60 * SECOND));
    (board, users, hand)
}

/// An envelope's start: as old as the test's clock.
fn now(rest: &str) -> String {
    format!("{{\"ct\": {START}.25, {rest}")
}

#[test]
fn stored_bytes_are_dogpiles_envelope() {
    let (board, users, hand) = bytes("envelope");
    hand.advance(SECOND / 4);
    users.set("1", String::from("a|b")).unwrap();
    assert_eq!(
        board.text("1"),
        r#"{"ct":4000000000.25,"v":2,"ku":4000000120.25,"sz":"json"}|"a|b""#
    );
    let create = || {
        hand.advance(SECOND / 2);
        vec![1, 2]
    };
    users.get_or_create("2", create).unwrap();
    assert_eq!(
        board.text("2"),
        r#"{"ct":4000000000.75,"v":2,"st":4000000000.25,"ku":4000000120.75,"sz":"json"}|[1,2]"#
    );
    let (users, _) = region(board.bytes().value_version(7));
    users.set("3", ()).unwrap();
    assert_eq!(
        board.text("3"),
        r#"{"ct":4000000000.0,"v":2,"vv":7,"sz":"json"}|null"#
    );
}

#[test]
fn a_value_of_bytes_has_its_times_and_its_key() {
    let (board, users, _) = bytes("bytes have times");
    users.set("1", 1).unwrap();
    let value = board.stored("1").unwrap();
    let metadata = value.metadata();
    assert_eq!(value.key(), "1");
    assert_eq!(metadata.created, START * 1_000_000_000);
    assert_eq!(metadata.started, START * 1_000_000_000);
    assert_eq!(metadata.keep_until, (START + 120) * 1_000_000_000);
}

#[test]
fn a_value_of_bytes_holds_no_more_memory_than_it_weighs_and_weighs_little_more_than_its_bytes() {
    let (board, users, _) = bytes("no spare room");
    // Lengths after which a growing vector has much to spare.
    for length in [1, 70, 1100, 4000, 4200, 70_000, 1_100_000] {
        let text = "x".repeat(length);
        users.set("1", text.clone()).unwrap();
        users
            .set_payload("2", format!("{text:?}").as_bytes())
            .unwrap();
        for key in ["1", "2"] {
            let value = board.stored(key).unwrap();
            let bytes = value.as_bytes().unwrap().len();
            let beside = value.weight() as usize - bytes;
            assert!(beside <= 64 + 1 + 7 + 24, "{length}: {beside} beside");
        }
    }
}

#[test]
fn what_python_wrote_is_read_and_expires() {
    let (board, users, hand) = bytes("python");
    board.write("1", now(r#""v": 2}|"a|b""#));
    hand.advance(SECOND);
    let got = users
        .get_or_create("1", || -> String { unreachable!() })
        .unwrap();
    assert_eq!((&**got, got.source()), ("a|b", Source::Fresh));
    let metadata = users.get_value_metadata("1").unwrap().unwrap();
    assert_eq!(metadata.cached_time, metadata.started_time);
    assert_eq!((metadata.age, metadata.keep_until), (SECOND * 3 / 4, None));
    hand.advance(59 * SECOND);
    assert!(users.get::<String>("1").unwrap().is_some());
    hand.advance(SECOND);
    assert!(users.get::<String>("1").unwrap().is_none());
    assert_eq!(all_misses(&users), [(MissReason::Expired, 1)]);
}

#[test]
fn a_later_versions_envelope_is_read() {
    let (board, users, hand) = bytes("later");
    hand.advance(SECOND);
    board.write(
        "1",
        now(r#""v": 2, "st": 1, "tags": ["u"], "new": {"x": []}}|7"#),
    );
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
}

#[test]
fn what_cannot_be_decoded_is_a_miss_with_a_reason() {
    let (board, users, hand) = bytes("decode");
    hand.advance(SECOND);
    let deep = now(r#""v": 2}|"#) + &"[".repeat(100_000);
    let cases: [(&[u8], MissReason); 5] = [
        (b"{\"ct\": 4000000000, \"v\": 2}|", MissReason::Damaged),
        (b"{\"ct\": 4000000000, \"v\": 2}|7 7", MissReason::Damaged),
        (
            b"{\"ct\": 4000000000, \"v\": 2, \"sz\": \"raw\"}|7",
            MissReason::Damaged,
        ),
        (
            b"{\"ct\": 4000000000, \"v\": 2, \"vv\": 1}|7",
            MissReason::Version,
        ),
        (deep.as_bytes(), MissReason::Damaged),
    ];
    for (stored, reason) in cases {
        let shown = String::from_utf8_lossy(&stored[..stored.len().min(50)]);
        board.write("1", stored);
        let before = misses(&users, reason);
        assert!(users.get::<i32>("1").unwrap().is_none(), "{shown}");
        let made = users.get_or_create("1", || 7).unwrap();
        assert_eq!((*made, made.source()), (7, Source::Created), "{shown}");
        assert_eq!(misses(&users, reason), before + 2, "{shown}");
        assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
    }
    assert_eq!(users.stats().errors, 0);
}

#[test]
fn a_value_of_another_type_is_damaged() {
    let (_, users, _) = bytes("another type");
    users.set("1", String::from("text")).unwrap();
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(*users.get_or_create("1", || 7).unwrap(), 7);
    assert_eq!(all_misses(&users), [(MissReason::Damaged, 2)]);
}

#[test]
fn what_is_expired_or_invalidated_is_not_decoded_to_say_so() {
    let (board, users, hand) = bytes("not decoded");
    board.write("1", now(r#""v": 2}|not json"#));
    hand.advance(200 * SECOND);
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(all_misses(&users), [(MissReason::Expired, 1)]);
}

#[test]
fn a_value_from_the_future_is_stale_beyond_a_minute() {
    let (board, users, _) = bytes("future");
    let at = |seconds| format!("{{\"ct\": {}, \"v\": 2}}|7", START + seconds);
    board.write("1", at(60));
    assert!(users.get::<i32>("1").unwrap().is_some());
    board.write("1", at(61));
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(*users.get_or_create("1", || 8).unwrap(), 8);
    assert_eq!(all_misses(&users), [(MissReason::Expired, 2)]);
}

#[test]
fn a_value_from_the_future_is_outdated_by_an_invalidation_beyond_a_minute() {
    for (name, how) in [("hard", Invalidation::Hard), ("soft", Invalidation::Soft)] {
        let key = format!("future, {name}");
        let (board, users, _) = bytes(&key);
        let write = |seconds| {
            let text = format!("{{\"ct\": {}, \"v\": 2}}|7", START + seconds);
            board.write(&key, text);
        };
        write(61);
        assert_eq!(beside_a_creation(&users, &key, false), (7, Source::Stale));
        users.invalidate(how).unwrap();
        write(61);
        let expected = match how {
            Invalidation::Hard => (2, Source::Waited),
            Invalidation::Soft => (7, Source::Stale),
        };
        let waits = how == Invalidation::Hard;
        assert_eq!(beside_a_creation(&users, &key, waits), expected);
        assert_eq!(misses(&users, MissReason::Invalidated), 2);
        // Clocks of machines differ a little.
        write(60);
        assert!(users.get::<i32>(&key).unwrap().is_some());
    }
}

#[test]
fn a_version_of_values_is_a_miss_for_every_other() {
    let board = Board::new("value version");
    let [old, new] = [1, 2].map(|version| region(board.bytes().value_version(version)).0);
    old.set("1", 1).unwrap();
    assert!(new.get::<i32>("1").unwrap().is_none());
    assert_eq!(*new.get_or_create("1", || 2).unwrap(), 2);
    assert!(old.get::<i32>("1").unwrap().is_none());
    assert_eq!(all_misses(&old), [(MissReason::Version, 1)]);
    let version = old.get_value_metadata("1").unwrap().unwrap().value_version;
    assert_eq!(version, 2);
}

#[test]
fn what_dogpile_did_not_write_has_no_metadata() {
    let (board, users, _) = bytes("no metadata");
    board.write("1", "text");
    assert_eq!(users.get_value_metadata("1").unwrap(), None);
    board.write("1", now(r#""v": 2}|whatever"#));
    assert!(users.get_value_metadata("1").unwrap().is_some());
}

#[test]
fn what_cannot_be_serialised_is_an_error_of_every_caller_and_not_stored() {
    let (board, users, _) = bytes("serialise");
    let pairs = || HashMap::from([((1, 2), 3)]);
    let errors = [
        users.set("1", pairs()).unwrap_err(),
        users.get_or_create("1", pairs).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Serializer);
        assert!(error.to_string().contains("HashMap"), "{error}");
    }
    assert!(board.stored("1").is_none());
    assert!(!users.key_is_locked("1").unwrap());
}

#[test]
fn each_hit_is_a_value_of_its_own() {
    let (_, users, _) = bytes("copies");
    users.set("1", vec![1, 2]).unwrap();
    let [one, other] = [0; 2].map(|_| users.get::<Vec<i32>>("1").unwrap().unwrap());
    assert_eq!(*one, *other);
    assert!(!std::ptr::eq(&raw const *one, &raw const *other));
}
