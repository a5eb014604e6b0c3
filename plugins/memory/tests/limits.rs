//! The limits hold, whatever is stored.

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{BackendInstance, Metadata, Object, Value};

fn open(host: &TestHost, arguments: &str) -> BackendInstance {
    dogpile_plugin_memory::plugin()
        .open_backend("memory", arguments, host.raw())
        .unwrap()
}

fn object(host: &TestHost, text: &str) -> Value {
    let key = host.key(text);
    Object::new(&Metadata::default(), key.as_key(), text.to_owned()).into_value()
}

fn entries(backend: &BackendInstance) -> u64 {
    backend.stats().unwrap().entries.unwrap()
}

#[test]
fn as_many_entries_as_allowed_are_kept_and_never_more() {
    let host = host();
    for limit in [1, 2, 3, 10, 100, 513, 1024, 10_000] {
        let backend = open(&host, &format!(r#"{{"max_entries": {limit}}}"#));
        for number in 0..limit * 2 {
            let key = host.key(number.to_string());
            backend
                .set(&key.as_key(), &object(&host, &number.to_string()))
                .unwrap();
            assert!(backend.get(&key.as_key()).unwrap().is_some());
            if number % 100 == 0 || number + 3 > limit * 2 {
                assert_eq!(entries(&backend), (number + 1).min(limit));
            }
        }
    }
}
