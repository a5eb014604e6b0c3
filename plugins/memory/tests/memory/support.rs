//! What the tests of this backend share.

use dogpile_plugin_api::testing::TestHost;
use dogpile_plugin_api::{BackendInstance, Key, Metadata, Object, Value};

/// Opened through the boundary, as the host does.
pub(crate) fn open(host: &TestHost, arguments: &str) -> BackendInstance {
    dogpile_plugin_memory::plugin()
        .open_backend("memory", arguments, host.raw())
        .unwrap()
}

/// An object for `key`, of that weight and end.
pub(crate) fn object(key: Key<'_>, weight: u32, keep_until: u64) -> Value {
    let metadata = Metadata {
        created: 1,
        started: 1,
        keep_until,
        weight,
    };
    Object::new(&metadata, key, key.to_string()).into_value()
}

/// Stores an object of weight 1 without an end.
pub(crate) fn store(host: &TestHost, backend: &BackendInstance, text: &str) {
    let key = host.key(text);
    let value = object(key.as_key(), 1, 0);
    backend.set(&key.as_key(), &value).unwrap();
}

pub(crate) fn has(host: &TestHost, backend: &BackendInstance, text: &str) -> bool {
    let key = host.key(text);
    let found = backend.get(&key.as_key()).unwrap();
    if let Some(value) = &found {
        assert_eq!(value.key(), text);
    }
    found.is_some()
}

/// Entries, and what they weigh.
pub(crate) fn held(backend: &BackendInstance) -> (u64, u64) {
    let stats = backend.stats().unwrap();
    (stats.entries.unwrap(), stats.bytes.unwrap())
}

/// Pseudo-random numbers (xorshift), the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
