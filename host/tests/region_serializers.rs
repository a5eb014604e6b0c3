//! Serializers: what they store, what they read, and what becomes of values when a region changes its own.

#![forbid(unsafe_code)]

mod region_support;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use dogpile::{
    AnyValue, Destination, ErrorKind, ManualClock, MissReason, Region, RegionConfig, Serializer,
    SerializerError, SerializerKind, Source,
};

use region_support::{Board, SECOND, all_misses, builder, region};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
}

fn user() -> User {
    User {
        id: 7,
        name: "Zoë".to_owned(),
    }
}

fn serialized(name: &str, kind: SerializerKind) -> (Arc<Board>, Region, ManualClock) {
    let board = Board::new(name);
    let (users, hand) = region(board.bytes().serializer(kind));
    hand.advance(SECOND / 4);
    (board, users, hand)
}

fn payload(region: &Region, key: &str) -> Vec<u8> {
    region.get_payload(key).unwrap().unwrap().bytes
}

/// `msgpack.packb({"id": 7, "name": "Zoë"})` of Python.
const PACKED: &[u8] = b"\x82\xa2id\x07\xa4name\xa4Zo\xc3\xab";

#[test]
fn messagepack_is_stored_and_read() {
    let (board, users, _) = serialized("messagepack", SerializerKind::MessagePack);
    users.get_or_create("1", user).unwrap();
    let stored = board.stored("1").unwrap();
    let envelope = br#"{"ct":4000000000.25,"v":2,"sz":"messagepack"}|"#;
    assert_eq!(
        stored.as_bytes().unwrap(),
        [&envelope[..], PACKED].concat(),
        "Python reads this as a dict"
    );
    let got = users.get::<User>("1").unwrap().unwrap();
    assert_eq!((&*got, got.source()), (&user(), Source::Fresh));
    let map = BTreeMap::from([((1, 2), Some(1.5)), ((3, 4), None)]);
    users.set("2", map.clone()).unwrap();
    assert_eq!(
        *users
            .get::<BTreeMap<(u8, u8), Option<f64>>>("2")
            .unwrap()
            .unwrap(),
        map
    );
    assert!(users.get::<Vec<u8>>("1").unwrap().is_none());
    assert_eq!(
        all_misses(&users),
        [(MissReason::Absent, 1), (MissReason::Damaged, 1)]
    );
}

#[test]
fn raw_is_the_value_itself() {
    let (board, users, _) = serialized("raw", SerializerKind::Raw);
    users.set("1", String::from("a|b\n")).unwrap();
    assert_eq!(
        board.text("1"),
        "{\"ct\":4000000000.25,\"v\":2,\"sz\":\"raw\"}|a|b\n"
    );
    assert_eq!(**users.get::<String>("1").unwrap().unwrap(), *"a|b\n");
    let every: Vec<u8> = (0..=255).collect();
    users.get_or_create("2", || every.clone()).unwrap();
    assert_eq!(payload(&users, "2"), every);
    assert_eq!(*users.get::<Vec<u8>>("2").unwrap().unwrap(), every);
    // What serde writes as a string is one.
    let address = IpAddr::from([127, 0, 0, 1]);
    users.set("3", address).unwrap();
    assert_eq!(payload(&users, "3"), b"127.0.0.1");
    assert_eq!(*users.get::<IpAddr>("3").unwrap().unwrap(), address);
    assert_eq!(all_misses(&users), [(MissReason::Absent, 1)]);
    assert!(users.get::<String>("2").unwrap().is_none());
    assert_eq!(all_misses(&users).last(), Some(&(MissReason::Damaged, 1)));
}

#[test]
fn raw_refuses_other_types_with_place_cause_and_remedy() {
    let (board, users, _) = serialized("raw refuses", SerializerKind::Raw);
    let errors = [
        users.set("1", user()).unwrap_err(),
        users.get_or_create("1", user).unwrap_err(),
        users.entry("1").get_or_create(|| Some(1)).unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Serializer);
        let text = error.to_string();
        for part in [
            "region `users`",
            "raw bytes",
            "strings and bytes",
            "serializer = \"json\"",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert!(errors[0].to_string().contains("User") && errors[0].to_string().contains("a struct"));
    assert!(board.stored("1").is_none());
}

/// JSON, backwards.
struct Backwards;

impl Serializer for Backwards {
    fn name(&self) -> &'static str {
        "back|wards"
    }

    fn serialize(
        &self,
        value: &AnyValue<'_>,
        payload: &mut Vec<u8>,
    ) -> Result<(), SerializerError> {
        let mut json = serde_json::to_vec(value)?;
        json.reverse();
        payload.extend(json);
        Ok(())
    }

    fn deserialize(
        &self,
        payload: &[u8],
        value: &mut Destination<'_>,
    ) -> Result<(), SerializerError> {
        let json: Vec<u8> = payload.iter().rev().copied().collect();
        let mut json = serde_json::Deserializer::from_slice(&json);
        value.read(&mut json)?;
        Ok(json.end()?)
    }
}

#[test]
fn a_serializer_of_the_programs_own_takes_the_place_of_the_configured_one() {
    for kind in [SerializerKind::Json, SerializerKind::Raw] {
        let (board, users, _) = serialized(&format!("own over {kind}"), kind);
        users.set_serializer(Backwards);
        users.set("1", user()).unwrap();
        let envelope = r#"{"ct":4000000000.25,"v":2,"sz":"back\u007cwards"}|"#;
        let json: String = r#"{"id":7,"name":"Zoë"}"#.chars().rev().collect();
        let stored = board.stored("1").unwrap();
        let stored = stored.as_bytes().unwrap();
        assert!(stored.starts_with(envelope.as_bytes()), "{kind}");
        // The bytes are reversed, not the letters.
        assert_eq!(stored.len(), envelope.len() + json.len());
        assert_eq!(*users.get::<User>("1").unwrap().unwrap(), user());
        let error = users.set("2", BTreeMap::from([((1, 2), 3)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Serializer);
        assert!(error.to_string().contains("`back|wards`"), "{error}");
        users.set_payload("3", b"]2,1[").unwrap();
        assert_eq!(*users.get::<Vec<i32>>("3").unwrap().unwrap(), [1, 2]);
        assert!(users.set_payload("3", b"[1,2]").is_err());
    }
}

/// What begins like a pickle is only Python's where the region's own serializer cannot have written it.
#[test]
fn what_a_serializer_of_the_programs_own_writes_may_look_pickled() {
    struct Marked;
    impl Serializer for Marked {
        fn name(&self) -> &'static str {
            "marked"
        }
        fn serialize(
            &self,
            value: &AnyValue<'_>,
            payload: &mut Vec<u8>,
        ) -> Result<(), SerializerError> {
            payload.extend(b"\x80\x04");
            Backwards.serialize(value, payload)?;
            payload.push(b'.');
            Ok(())
        }
        fn deserialize(
            &self,
            payload: &[u8],
            value: &mut Destination<'_>,
        ) -> Result<(), SerializerError> {
            let rest = payload.strip_prefix(b"\x80\x04");
            let rest = rest.and_then(|rest| rest.strip_suffix(b"."));
            Backwards.deserialize(rest.ok_or("it is not marked")?, value)
        }
    }
    let (board, users, _) = serialized("marked", SerializerKind::Json);
    users.set_serializer(Marked);
    users.set("1", user()).unwrap();
    let stored = payload(&users, "1");
    assert!(stored.starts_with(b"\x80\x04") && stored.ends_with(b"."));
    assert_eq!(*users.get::<User>("1").unwrap().unwrap(), user());
    let create = || -> User { unreachable!("it is there") };
    let got = users.get_or_create("1", create).unwrap();
    assert_eq!((&*got, got.source()), (&user(), Source::Fresh));
    assert_eq!(all_misses(&users), []);
    // A true pickle stays one.
    board.write("2", b"{\"ct\": 4000000000, \"v\": 2}|\x80\x04K\x07.");
    assert!(users.get::<User>("2").unwrap().is_none());
    assert_eq!(all_misses(&users), [(MissReason::Foreign, 1)]);
}

#[test]
fn a_serializer_that_reads_nothing_or_panics_is_the_callers_affair() {
    struct Lazy;
    impl Serializer for Lazy {
        fn name(&self) -> &'static str {
            "lazy"
        }
        fn serialize(
            &self,
            _: &AnyValue<'_>,
            payload: &mut Vec<u8>,
        ) -> Result<(), SerializerError> {
            payload.push(b'x');
            Ok(())
        }
        fn deserialize(&self, _: &[u8], _: &mut Destination<'_>) -> Result<(), SerializerError> {
            Ok(())
        }
    }
    struct Panics;
    impl Serializer for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }
        fn serialize(&self, _: &AnyValue<'_>, _: &mut Vec<u8>) -> Result<(), SerializerError> {
            panic!("no")
        }
        fn deserialize(&self, _: &[u8], _: &mut Destination<'_>) -> Result<(), SerializerError> {
            panic!("no")
        }
    }
    let (_, users, _) = serialized("lazy", SerializerKind::Json);
    users.set_serializer(Lazy);
    users.set("1", 1).unwrap();
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(all_misses(&users), [(MissReason::Damaged, 1)]);
    users.set_serializer(Panics);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        users.get_or_create("2", || 1)
    }));
    assert!(caught.is_err());
    users.set_serializer(Backwards);
    assert_eq!(*users.get_or_create("2", || 1).unwrap(), 1);
}

#[test]
fn what_another_serializer_wrote_is_a_miss_even_where_it_could_be_read() {
    let board = Board::new("another serializer");
    let kinds = [
        SerializerKind::Json,
        SerializerKind::MessagePack,
        SerializerKind::Raw,
    ];
    for writer in kinds {
        for reader in kinds {
            let (one, _) = region(board.bytes().serializer(writer));
            let (other, _) = region(board.bytes().serializer(reader));
            // 0x37 is the text 7 and the MessagePack of 55.
            match writer {
                SerializerKind::Raw => drop(one.set("1", String::from("7")).unwrap()),
                _ => drop(one.set("1", 7).unwrap()),
            }
            let found = match reader {
                SerializerKind::Raw => other.get::<String>("1").unwrap().is_some(),
                _ => other.get::<i32>("1").unwrap().is_some(),
            };
            assert_eq!(found, writer == reader, "{writer} read as {reader}");
            if !found {
                assert_eq!(all_misses(&other), [(MissReason::Damaged, 1)]);
            }
        }
    }
}

#[test]
fn what_does_not_say_its_serializer_is_read_with_the_regions() {
    let board = Board::new("serializer not said");
    let (users, hand) = region(board.bytes().serializer(SerializerKind::MessagePack));
    hand.advance(SECOND);
    // dogpile.cache 1.5.0 with msgpack.packb as its serializer.
    let python = b"{\"ct\": 4000000000.25, \"v\": 2}|";
    board.write("1", [&python[..], PACKED].concat());
    assert_eq!(*users.get::<User>("1").unwrap().unwrap(), user());
}

#[test]
fn payloads_are_stored_and_shown_exactly_by_every_serializer() {
    let cases: [(SerializerKind, &[u8], &[u8]); 5] = [
        (SerializerKind::Json, b" {\"a\": [1]}\n", b"text"),
        (SerializerKind::Json, b"\"\xc3\xb6\"", b"\"\xff\""),
        (SerializerKind::MessagePack, PACKED, b"\x82\xa2id\x07"),
        // A text that is not UTF-8, which no text could be read from.
        (SerializerKind::MessagePack, PACKED, b"\xa2\xff\xfe"),
        (SerializerKind::Raw, b"\x00|\xff", b""),
    ];
    for (at, (kind, right, wrong)) in cases.into_iter().enumerate() {
        let (_, users, _) = serialized(&format!("payloads {at} of {kind}"), kind);
        users.set_payload("1", right).unwrap();
        assert_eq!(payload(&users, "1"), right);
        if kind == SerializerKind::Raw {
            users.set_payload("1", wrong).unwrap();
            assert_eq!(payload(&users, "1"), wrong);
        } else {
            let error = users.set_payload("1", wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Serializer);
            let text = error.to_string();
            assert!(text.contains("which region `users` stores"), "{text}");
            assert_eq!(text.contains("quote a text"), kind == SerializerKind::Json);
            assert_eq!(payload(&users, "1"), right);
        }
    }
}

#[test]
fn an_object_is_shown_as_the_serializer_would_store_it() {
    let config = RegionConfig::on("users", "memory");
    let (users, _) = region(config.clone().serializer(SerializerKind::MessagePack));
    users.set("1", user()).unwrap();
    assert_eq!(payload(&users, "1"), PACKED);
    users.set_serializer(Backwards);
    users.set("2", vec![1, 2]).unwrap();
    assert_eq!(payload(&users, "2"), b"]2,1[");
    let (users, _) = region(config.serializer(SerializerKind::Raw));
    users.set("1", user()).unwrap();
    let error = users.get_payload("1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serializer);
    assert!(error.to_string().contains("region `users`"), "{error}");
}

#[test]
fn a_serializer_can_be_set_before_the_region_is_configured() {
    let board = Board::new("serializer before");
    let (builder, _) = builder();
    let host = builder.build().unwrap();
    let users = host.declare("users");
    users.set_serializer(Backwards);
    host.configure(board.bytes()).unwrap();
    users.set("1", vec![1, 2]).unwrap();
    assert!(board.text("1").ends_with("|]2,1["));
}

#[test]
fn what_python_wrote_is_read() {
    let board = Board::new("python's");
    let text = |stored: &[u8]| {
        let (users, hand) = region(board.bytes());
        hand.advance(SECOND);
        board.write("1", stored);
        let value = users.get::<serde_json::Value>("1").unwrap();
        let metadata = users.get_value_metadata("1").unwrap().unwrap();
        let created = metadata.cached_time.duration_since(std::time::UNIX_EPOCH);
        (
            value.map(|value| value.to_string()),
            created.unwrap().as_nanos(),
        )
    };
    // Made by dogpile.cache 1.5.0 on Python 3.11 with a bytes backend: region.set("k", value) with json.dumps, with and
    // without ensure_ascii, as the serializer, and time.time() giving these numbers.
    let zoe = r#"{"name":"Zoë | 世界 🚀"}"#.to_owned();
    assert_eq!(
        text(
            b"{\"ct\": 4000000000.1234565, \"v\": 2}|{\"name\": \"Zo\\u00eb | \\u4e16\\u754c \\ud83d\\ude80\"}"
        ),
        (Some(zoe.clone()), 4_000_000_000_123_457_000)
    );
    assert_eq!(
        text(
            b"{\"ct\": 4000000000.5, \"v\": 2}|{\"name\": \"Zo\xc3\xab | \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x9a\x80\"}"
        ),
        (Some(zoe), 4_000_000_000_500_000_000)
    );
    assert_eq!(
        text(b"{\"ct\": 4000000000, \"v\": 2}|[1, 2.5, null, true]"),
        (
            Some("[1,2.5,null,true]".to_owned()),
            4_000_000_000_000_000_000
        )
    );
    assert_eq!(
        text(b"{\"ct\": 4000000000.0, \"v\": 2}|1e+300").0,
        Some("1e+300".to_owned())
    );
    assert_eq!(
        text(b"{\"ct\": 1e-07, \"v\": 2}|\"x\""),
        (Some("\"x\"".to_owned()), 0)
    );
    let far = text(b"{\"ct\": 1e+22, \"v\": 2}|\"x\"");
    assert_eq!(far, (None, u128::from(u64::MAX)));
}
