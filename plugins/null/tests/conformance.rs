//! The conformance suite.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::{backend_suite, mutex_suite, serializer_suite};
use dogpile_plugin_null::plugin;

#[test]
fn null_conforms() {
    backend_suite(plugin(), "null", "{}").assert_passed();
    serializer_suite(plugin(), "null", "{}").assert_passed();
    mutex_suite(plugin(), "null", "{}").assert_passed();
}
