//! The same answers as a plain map gives, as long as nothing is evicted; and a subset of them when it is.

use std::collections::HashMap;

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{Key, Metadata, Value};

use crate::support::{Numbers, held, open};

/// Random calls on 300 keys, some of which share a hash, or a part of it that the table or the shards look at.
fn compare(arguments: &str, seed: u64, evicts: bool) {
    let host = host();
    let backend = open(&host, arguments);
    let mut model: HashMap<u64, Vec<u8>> = HashMap::new();
    let mut numbers = Numbers(seed);
    let texts: Vec<String> = (0..300).map(|number| format!("key:{number}")).collect();
    let hash = |number: u64| match number % 4 {
        0 => 7,
        1 => (number % 5) << 57,
        2 => (number % 5) << 30,
        _ => number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    };
    for turn in 0..5000_u32 {
        let number = numbers.below(300);
        let key = Key::new(&texts[usize::try_from(number).unwrap()], hash(number));
        match numbers.below(100) {
            0..50 => {
                let found = backend.get(&key).unwrap();
                let found = found.as_ref().map(|value| {
                    assert_eq!(value.key(), key.as_str());
                    value.as_bytes().unwrap()
                });
                let expected = model.get(&number).map(Vec::as_slice);
                if found.is_some() || !evicts {
                    assert_eq!(found, expected, "turn {turn}, {key}");
                }
            }
            50..80 => {
                let bytes = turn.to_le_bytes().to_vec();
                let metadata = Metadata {
                    weight: 1 + turn % 7,
                    ..Metadata::default()
                };
                let value = Value::copied(&metadata, key, &bytes);
                backend.set(&key, &value).unwrap();
                model.insert(number, bytes);
            }
            80..99 => {
                backend.delete(&key).unwrap();
                model.remove(&number);
            }
            _ if numbers.below(20) == 0 => {
                backend.clear().unwrap();
                model.clear();
            }
            _ => {}
        }
        if turn % 8 != 0 {
            continue;
        }
        let (entries, bytes) = held(&backend);
        assert!(bytes >= entries);
        if evicts {
            assert!(entries <= model.len() as u64);
        } else {
            assert_eq!(entries, model.len() as u64);
        }
    }
}

#[test]
fn without_eviction_it_is_a_map() {
    for seed in 1..6 {
        compare("{}", seed, false);
        compare(r#"{"storage": "bytes"}"#, seed, false);
        compare(r#"{"max_entries": "unbounded"}"#, seed, false);
    }
}

#[test]
fn with_eviction_it_never_gives_what_a_map_does_not() {
    for seed in 1..6 {
        compare(r#"{"max_entries": 20}"#, seed, true);
        compare(r#"{"max_entries": 1}"#, seed, true);
        compare(
            r#"{"max_entries": "unbounded", "max_bytes": 100}"#,
            seed,
            true,
        );
    }
}
