//! Wrong arguments are refused, by name and with what would be right.

use dogpile_plugin_api::ErrorKind;
use dogpile_plugin_api::testing::host;

#[test]
fn wrong_arguments_name_their_place_and_the_remedy() {
    for (arguments, place, remedy) in [
        (r#"{"max_entries": 0}"#, "max_entries", "unbounded"),
        (r#"{"max_entries": -5}"#, "max_entries", "unbounded"),
        (r#"{"max_entries": 1.5}"#, "max_entries", "unbounded"),
        (r#"{"max_entries": "many"}"#, "max_entries", "unbounded"),
        (
            r#"{"max_entries": true}"#,
            "max_entries",
            "number or a string",
        ),
        (r#"{"max_bytes": 0}"#, "max_bytes", "64MiB"),
        (r#"{"max_bytes": "64MB"}"#, "max_bytes", "64MiB"),
        (r#"{"time_to_idle": 0}"#, "time_to_idle", "5m"),
        (r#"{"time_to_idle": 0.5}"#, "time_to_idle", "5m"),
        (
            r#"{"time_to_idle": "never"}"#,
            "time_to_idle",
            "leave it out",
        ),
        (r#"{"storage": "pickle"}"#, "storage", "objects"),
        (r#"{"max_entry": 5}"#, "max_entry", "max_entries"),
    ] {
        let opened =
            dogpile_plugin_memory::plugin().open_backend("memory", arguments, host().raw());
        let Err(error) = opened else {
            panic!("{arguments} was taken");
        };
        assert_eq!(error.kind(), ErrorKind::Arguments, "{error}");
        assert_eq!(error.place(), Some(place), "{error}");
        assert!(error.message().contains(remedy), "{error}");
    }
}

#[test]
fn every_form_of_an_argument_is_taken() {
    for arguments in [
        r#"{"max_entries": 1, "max_bytes": 1, "time_to_idle": 1, "storage": "bytes"}"#,
        r#"{"max_entries": "unbounded", "max_bytes": "64MiB", "time_to_idle": "1h30m", "storage": "objects"}"#,
        r#"{"max_entries": 18446744073709551615, "max_bytes": "16777215TiB"}"#,
    ] {
        dogpile_plugin_memory::plugin()
            .open_backend("memory", arguments, host().raw())
            .unwrap();
    }
}

#[test]
fn the_schema_describes_every_argument() {
    let info = dogpile_plugin_memory::plugin().describe().unwrap();
    let schema = &info.backends[0].arguments["properties"];
    for argument in ["max_entries", "max_bytes", "time_to_idle", "storage"] {
        assert!(schema[argument]["description"].is_string(), "{schema}");
    }
}
