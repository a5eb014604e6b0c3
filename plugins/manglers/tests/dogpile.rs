//! The same results as dogpile.cache 1.5 gives: each vector was computed by its `sha1_mangle_key` and
//! `length_conditional_mangler`.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{Error, ErrorKind, ManglerInstance};

fn open(name: &str, arguments: &str) -> Result<ManglerInstance, Error> {
    dogpile_plugin_manglers::plugin().open_mangler(name, arguments, host().raw())
}

const SHA1: [(&str, &str); 7] = [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("a", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ("user:42", "adf14d23d3caa1297fd8df9a6f360b9d003ef4bc"),
    ("Füße", "5415fdd9260069c36bdbc2d0f71ebb94f3449c3f"),
    ("日本語のキー", "622460bd575657f85980a793b966d8930c089a08"),
    ("emoji 🐕", "bf8ac8d3dd6921fba98011409307861675c6fcef"),
    (
        "with space|pipe\n",
        "4eb7cd4ebf06857e7bb40cdbea62d56a951d809c",
    ),
];

#[test]
fn sha1_gives_what_python_gives() {
    let sha1 = open("sha1", "{}").unwrap();
    for (key, mangled) in SHA1 {
        assert_eq!(sha1.mangle(key).unwrap(), mangled, "{key:?}");
    }
}

#[test]
fn length_mangles_from_its_maximum_on_and_counts_characters() {
    let length = open("length", r#"{"max": 10, "then": "sha1"}"#).unwrap();
    for (character, mangled) in [
        ("k", "94cf54a9647342d64a1ab525963d4efe622c11f6"),
        ("ü", "0a8592d25521c5cae4dcbae30f321d2ea8de3e68"),
        ("🐕", "32731654e0451b1c1b62caf9190035e83a9d7738"),
    ] {
        let short = character.repeat(9);
        assert_eq!(length.mangle(&short).unwrap(), short);
        assert_eq!(length.mangle(&character.repeat(10)).unwrap(), mangled);
    }
    assert_eq!(
        length.mangle("kkkkkkkkkkk").unwrap(),
        "0ba77d65c8c8f52770278250251130cb643e54c2"
    );
}

#[test]
fn length_has_a_maximum_of_250_if_none_is_given() {
    let length = open("length", "{}").unwrap();
    assert_eq!(length.mangle(&"k".repeat(249)).unwrap(), "k".repeat(249));
    assert_eq!(
        length.mangle(&"k".repeat(250)).unwrap(),
        "8c56211fa2b028e89de28508849a1faf3be33cbf"
    );
}

#[test]
fn wrong_arguments_are_refused_by_name() {
    for (name, arguments, place) in [
        ("sha1", r#"{"max": 3}"#, "max"),
        ("length", r#"{"length": 250}"#, "length"),
        ("length", r#"{"max": -1}"#, "max"),
        ("length", r#"{"then": "md5"}"#, "then"),
    ] {
        let error = open(name, arguments).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Arguments);
        assert!(error.to_string().contains(place), "{arguments}: {error}");
    }
}
