//! The conformance suite.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::{backend_suite, mutex_suite, serializer_suite};
use dogpile_plugin_memory::plugin;

#[test]
fn memory_conforms_whatever_it_keeps() {
    for arguments in [
        "{}",
        r#"{"storage": "bytes"}"#,
        r#"{"max_entries": "unbounded", "max_bytes": "64MiB", "time_to_idle": "5m"}"#,
    ] {
        backend_suite(plugin(), "memory", arguments).assert_passed();
        serializer_suite(plugin(), "memory", arguments).assert_passed();
        mutex_suite(plugin(), "memory", arguments).assert_passed();
    }
}
