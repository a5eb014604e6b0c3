//! What a hit gives.

use std::sync::{Arc, Weak};

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{
    Backend, BackendInstance, ErrorKind, Key, Metadata, Object, Storage, Value,
};
use dogpile_plugin_memory::{Memory, MemoryArguments};

use crate::support::{held, object, open};

#[test]
fn a_hit_is_the_very_object_and_counts_one_reference() {
    let host = host();
    let backend = open(&host, "{}");
    let key = host.key("a");
    let value = object(key.as_key(), 0, 0);
    backend.set(&key.as_key(), &value).unwrap();
    assert_eq!(value.references(), 2);
    let hit = backend.get(&key.as_key()).unwrap().unwrap();
    assert_eq!(hit.address(), value.address());
    assert_eq!(value.references(), 3);
    drop(hit);
    assert_eq!(value.references(), 2);
    backend.set(&key.as_key(), &value).unwrap();
    assert_eq!(value.references(), 2);
    backend.delete(&key.as_key()).unwrap();
    assert_eq!(value.references(), 1);
}

#[test]
fn what_is_evicted_cleared_or_dropped_is_let_go() {
    let host = host();
    let counted = Arc::new(());
    let backend = open(&host, r#"{"max_entries": 10}"#);
    let fill = || {
        for number in 0..100 {
            let key = host.key(number.to_string());
            let object = Object::new(&Metadata::default(), key.as_key(), Arc::clone(&counted));
            backend.set(&key.as_key(), object.as_value()).unwrap();
        }
    };
    fill();
    assert_eq!(Arc::strong_count(&counted), 11);
    backend.clear().unwrap();
    assert_eq!(Arc::strong_count(&counted), 1);
    fill();
    drop(backend);
    assert_eq!(Arc::strong_count(&counted), 1);
}

/// A value whose drop uses the backend that held it, as the drop of a user's object may.
struct Calls {
    backend: Weak<BackendInstance>,
}

impl Drop for Calls {
    fn drop(&mut self) {
        if let Some(backend) = self.backend.upgrade() {
            backend.get(&Key::new("a", 1)).unwrap();
            backend.delete(&Key::new("gone", 1)).unwrap();
        }
    }
}

#[test]
fn values_are_dropped_outside_of_every_lock() {
    let host = host();
    let backend = Arc::new(open(&host, r#"{"max_entries": 2}"#));
    let set = |text: &str| {
        let key = Key::new(text, 1);
        let calls = Calls {
            backend: Arc::downgrade(&backend),
        };
        let object = Object::new(&Metadata::default(), key, calls);
        backend.set(&key, object.as_value()).unwrap();
    };
    set("a");
    set("a");
    set("b");
    set("c");
    set("d");
    backend.delete(&Key::new("d", 1)).unwrap();
    set("d");
    backend.clear().unwrap();
    assert_eq!(held(&backend), (0, 0));
}

#[test]
fn keys_with_equal_hashes_are_told_apart() {
    let host = host();
    let backend = open(&host, "{}");
    let texts: Vec<String> = (0..50).map(|number| "k".repeat(number)).collect();
    for text in &texts {
        let key = Key::new(text, 42);
        backend.set(&key, &object(key, 1, 0)).unwrap();
    }
    for text in &texts {
        let key = Key::new(text, 42);
        assert_eq!(backend.get(&key).unwrap().unwrap().key(), text);
    }
    for text in &texts {
        backend.delete(&Key::new(text, 42)).unwrap();
    }
    assert_eq!(held(&backend), (0, 0));
}

#[test]
fn bytes_made_for_another_key_are_copied_and_objects_refused() {
    let host = host();
    let backend = open(&host, "{}");
    let (key, other) = (host.key("a"), host.key("b"));
    let metadata = Metadata {
        created: 1,
        started: 2,
        keep_until: 3,
        weight: 4,
    };
    let value = Value::copied(&metadata, other.as_key(), b"bytes");
    backend.set(&key.as_key(), &value).unwrap();
    let found = backend.get(&key.as_key()).unwrap().unwrap();
    assert_eq!(found.key(), "a");
    assert_eq!(found.as_bytes(), Some(&b"bytes"[..]));
    assert_eq!(found.metadata(), metadata);
    assert_eq!(value.references(), 1);
    let error = backend
        .set(&key.as_key(), &object(other.as_key(), 0, 0))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn an_instance_of_bytes_refuses_objects() {
    let host = host();
    let backend = open(&host, r#"{"storage": "bytes"}"#);
    assert_eq!(backend.properties().storage, Storage::Bytes);
    let key = host.key("a");
    let error = backend
        .set(&key.as_key(), &object(key.as_key(), 0, 0))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn it_never_blocks_and_is_this_process_own() {
    let host = host();
    let properties = open(&host, "{}").properties();
    assert_eq!(properties.storage, Storage::Objects);
    assert!(!properties.blocking && !properties.shared && !properties.exclusive);
    // The same without the boundary.
    let memory = Memory::open(MemoryArguments::default(), &host.context()).unwrap();
    assert_eq!(memory.storage(), Storage::Objects);
    assert!(!memory.blocking() && !memory.shared() && !memory.exclusive());
}
