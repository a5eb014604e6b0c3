//! Keys shared with Python. The expected ones were made by dogpile.cache 1.5.0 under Python 3.11.

use dogpile::{PythonKeys, Region, cached, cached_multi};
use serde::Serialize;

use crate::counter::Counter;
use crate::region_support::{Board, SECOND, region};

fn users() -> Region {
    Counter::new().0.users
}

fn tools() -> PythonKeys {
    PythonKeys::function().module("myapp.tools")
}

#[cached(region = users(), function_key_generator = tools(), clone)]
fn one(_a: impl Serialize, _b: impl Serialize) -> u8 {
    0
}

/// The same name, in another module of Rust.
mod foo {
    use super::{PythonKeys, Serialize, cached, tools, users};

    #[cached(region = users(), namespace = "foo", function_key_generator = tools(), clone)]
    pub(super) fn one(_a: impl Serialize, _b: impl Serialize) -> u8 {
        0
    }

    #[cached(region = users(), function_key_generator = PythonKeys::kwarg_function().module("myapp.tools"), clone)]
    pub(super) fn kw(_b: u8, _a: u8) -> u8 {
        0
    }

    #[cached(region = users(), function_key_generator = PythonKeys::function(), clone)]
    pub(super) fn here(_a: u8) -> u8 {
        0
    }
}

#[cached(region = users(), function_key_generator = tools(), clone)]
fn none() -> u8 {
    0
}

struct C;

impl C {
    #[cached(region = users(), function_key_generator = tools(), clone)]
    fn m(&self, _a: u8) -> u8 {
        let Self = self;
        0
    }
}

#[test]
fn keys_are_exactly_those_of_dogpile_cache() {
    for (key, expected) in [
        (one::key(1, 2), "myapp.tools:one|1 2"),
        (one::key(None::<u8>, 5), "myapp.tools:one|None 5"),
        (one::key("a b", 1.5), "myapp.tools:one|a b 1.5"),
        (one::key(true, (1, "x")), "myapp.tools:one|True (1, 'x')"),
        (
            one::key(true, vec!["1", "x"]),
            "myapp.tools:one|True ['1', 'x']",
        ),
        (one::key((1,), "méil"), "myapp.tools:one|(1,) méil"),
        (one::key(1e16, -3), "myapp.tools:one|1e+16 -3"),
        (foo::one::key(3, 4), "myapp.tools:one|foo|3 4"),
        (foo::one::key("a", "b"), "myapp.tools:one|foo|a b"),
        (
            foo::one::key("méil", "drôle"),
            "myapp.tools:one|foo|méil drôle",
        ),
        (foo::kw::key(1, 2), "myapp.tools:kw|2 1"),
        (none::key(), "myapp.tools:none|"),
        (C.m_key(4), "myapp.tools:m|4"),
        (foo::here::key(4), "decorator.python_keys.foo:here|4"),
    ] {
        assert_eq!(key.unwrap(), expected);
    }
}

#[cached_multi(region = users(), namespace = "foo", function_multi_key_generator = tools(), clone)]
fn several(keys: &[&'static str]) -> Vec<u8> {
    vec![0; keys.len()]
}

#[cached_multi(region = users(), function_multi_key_generator = tools(), clone)]
fn plain(keys: &[u8]) -> Vec<u8> {
    keys.to_vec()
}

#[test]
fn keys_of_several_are_exactly_those_of_dogpile_cache() {
    assert_eq!(
        plain::keys(&[1, 2]).unwrap(),
        ["myapp.tools:plain|1", "myapp.tools:plain|2"]
    );
    assert_eq!(
        several::keys(&["méil", "drôle"]).unwrap(),
        [
            "myapp.tools:several|foo|méil",
            "myapp.tools:several|foo|drôle"
        ]
    );
}

#[test]
fn a_value_that_python_wrote_is_found() {
    let board = Board::new("written by Python");
    let (users, hand) = region(board.bytes());
    hand.advance(SECOND);
    // What dogpile.cache 1.5.0 stores in a region with a serializer of JSON.
    let stored = br#"{"ct": 4000000000.25, "v": 2}|"from Python""#;
    board.write("myapp.tools:shared|42", stored);

    #[cached(region = users, skip(users), function_key_generator = tools(), clone)]
    fn shared(users: &Region, id: u64) -> String {
        format!("{id} is not in {}", users.name())
    }
    assert_eq!(shared(&users, 42), "from Python");
    assert_eq!(shared(&users, 43), "43 is not in users");
}

#[test]
fn an_argument_that_python_writes_in_its_own_way_is_an_error_with_a_remedy() {
    #[derive(Serialize)]
    struct Query {
        limit: u8,
    }
    let error = one::key(Query { limit: 1 }, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument `_a` cannot be part of a key: the struct `Query` has no text that Python's `str` would give; leave \
         it out with `skip(_a)`, or say `key = …`"
    );
    assert_eq!(error.kind(), dogpile::ErrorKind::Serializer);
    assert_eq!(one(Query { limit: 1 }, 1), 0);
}
