//! The conformance suite.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::{backend_suite, mutex_suite, serializer_suite};
use dogpile_plugin_dbm::plugin;
use serde_json::json;

#[test]
fn dbm_conforms_whatever_locks_it_takes_and_whatever_it_survives() {
    for others in [
        json!({}),
        json!({ "rw_lockfile": true, "dogpile_lock_scope": "file" }),
        json!({ "durability": "power", "max_bytes": "64MiB", "cache_bytes": "1MiB" }),
        json!({ "dogpile_lockfile": false }),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = others;
        arguments["filename"] = json!(folder.path().join("cache"));
        let arguments = arguments.to_string();
        backend_suite(plugin(), "dbm", &arguments).assert_passed();
        serializer_suite(plugin(), "dbm", &arguments).assert_passed();
        mutex_suite(plugin(), "dbm", &arguments).assert_passed();
    }
}
