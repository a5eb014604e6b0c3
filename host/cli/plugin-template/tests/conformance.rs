//! What every backend must do, looked at through the boundary as a host does.

use dogpile_plugin_acme::plugin;
use dogpile_plugin_api::ErrorKind;
use dogpile_plugin_api::testing::{Offered, backend_suite, host, mutex_suite, serializer_suite};

/// What a manifest would say, as a JSON object.
const ARGUMENTS: &str = r#"{"max_entries": 1000}"#;

#[test]
fn it_conforms() {
    backend_suite(plugin(), "acme", ARGUMENTS).assert_passed();
    serializer_suite(plugin(), "acme", ARGUMENTS).assert_passed();
    mutex_suite(plugin(), "acme", ARGUMENTS).assert_passed();
}

#[test]
fn a_wrong_argument_is_named() {
    let backend = Offered {
        plugin: plugin(),
        name: "acme",
        arguments: r#"{"max_entries": 0}"#,
    };
    let error = host().open(backend, &[]).err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Arguments);
    assert_eq!(error.place(), Some("max_entries"));
}
