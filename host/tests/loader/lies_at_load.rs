//! Plugins that lie as they are started or asked what they are: refused, once per content, and the process lives.

use std::time::{Duration, Instant};

use dogpile::loader::{LoadErrorKind, Loader, loaded_images};

use crate::bad_files::refused;
use crate::fixtures::{file, lies};

/// What is told at load, the kind of the error, and a part of its message.
pub(crate) const LIES: &[(&str, LoadErrorKind, &str)] = &[
    (
        "start_fails",
        LoadErrorKind::Start,
        "has no backend `anything`",
    ),
    (
        "start_answers_a_value",
        LoadErrorKind::Start,
        "where nothing is expected",
    ),
    (
        "describe_answers_nothing",
        LoadErrorKind::Description,
        "describe answered with nothing",
    ),
    (
        "describe_is_not_utf8",
        LoadErrorKind::Description,
        "not UTF-8",
    ),
    (
        "describe_is_no_json",
        LoadErrorKind::Description,
        "what is no description",
    ),
    (
        "describe_is_an_object",
        LoadErrorKind::Description,
        "with an object",
    ),
    (
        "describe_is_of_no_kind",
        LoadErrorKind::Description,
        "kind 99",
    ),
    (
        "describe_panics",
        LoadErrorKind::Description,
        "panicked in describe: the schema is not",
    ),
    (
        "describe_two_of_one_name",
        LoadErrorKind::OfferedTwice,
        "two backends of the name `lies`",
    ),
];

#[test]
fn a_plugin_that_lies_as_it_is_loaded_is_refused() {
    for (lie, kind, part) in LIES {
        let (_folder, path) = file(&lies(lie));
        let error = refused(&path, *kind);
        assert!(error.message().contains(part), "{lie}: {error}");
        assert!(
            error.remedy().contains("replace its file"),
            "{lie}: {error}"
        );
        let code = format!("[{}]", kind.code());
        assert!(error.to_string().contains(&code), "{lie}: {error}");
        let images = loaded_images();
        refused(&path, *kind);
        assert_eq!(loaded_images(), images, "it is not mapped again");
    }
    let (_folder, path) = file(&lies("nothing"));
    let loaded = Loader::new().load(&path).unwrap();
    assert_eq!(loaded.info.backends[0].name, "lies");
}

#[test]
fn a_plugin_that_hangs_as_it_is_started_is_given_up() {
    for lie in ["start_hangs", "describe_hangs"] {
        let (_folder, path) = file(&lies(lie));
        let began = Instant::now();
        let loader = Loader::new().timeout(Duration::from_millis(100));
        let error = loader.load(&path).err().expect("it is given up");
        assert!(began.elapsed() < Duration::from_secs(5), "{lie}");
        assert_eq!(error.kind(), LoadErrorKind::TimedOut, "{error}");
        assert!(error.message().contains("within 100ms"), "{error}");
        // It is not waited for again.
        assert_eq!(
            refused(&path, LoadErrorKind::TimedOut).message(),
            error.message()
        );
    }
}
