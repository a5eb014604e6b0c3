//! Unsafe code is where it can be found and reviewed; every other crate forbids it.

use crate::source::{Source, Tree};

/// The rooms of unsafe code, the plugins that are bad on purpose, and a call of the C library that no crate makes safe.
const ALLOWED: &[&str] = &[
    "plugin-api/src/value",
    "plugin-api/src/abi",
    "plugin-api/src/adapter",
    "plugin-api/src/export",
    "host/src/loader",
    "tests/badplugins",
    "benches/src/heap/malloc",
];

/// Crates which deny it and allow it in those rooms.
const DENYING: &[&str] = &[
    "plugin-api/src/lib.rs",
    "host/src/lib.rs",
    "benches/src/main.rs",
];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let (in_tests, elsewhere): (Vec<_>, Vec<_>) = tree
        .sources
        .iter()
        .filter(|source| !ALLOWED.iter().any(|allowed| source.is_in(allowed)))
        .filter_map(|source| Some((source, first_unsafe(source)?)))
        .partition(|(source, _)| source.path.starts_with("tests/"));
    let mut problems: Vec<_> = elsewhere
        .iter()
        .map(|(source, line)| format!("{}:{line}: unsafe code", source.path))
        .collect();
    // One module, for what cannot be tested otherwise: fork, and counting allocations.
    if in_tests.len() > 1 {
        let places = in_tests
            .iter()
            .map(|(source, line)| format!("{}:{line}", source.path));
        let places: Vec<_> = places.collect();
        problems.push(format!(
            "unsafe code in more than one module of tests: {}",
            places.join(", ")
        ));
    }
    let tests_deny = in_tests
        .iter()
        .any(|(source, _)| source.path.starts_with("tests/src/"));
    for source in tree.sources.iter().filter(|source| is_crate_root(source)) {
        let may_deny =
            DENYING.contains(&&*source.path) || (tests_deny && source.path == "tests/src/lib.rs");
        let code: String = source.code.split_whitespace().collect();
        let has = |level: &str| code.contains(&format!("#![{level}(unsafe_code)]"));
        if may_deny && !has("deny") {
            problems.push(format!("{}: lacks #![deny(unsafe_code)]", source.path));
        } else if !may_deny && !has("forbid") {
            problems.push(format!("{}: lacks #![forbid(unsafe_code)]", source.path));
        }
    }
    problems
}

fn first_unsafe(source: &Source) -> Option<usize> {
    source
        .tokens()
        .into_iter()
        .find(|token| token.text == "unsafe")
        .map(|token| token.line)
}

fn is_crate_root(source: &Source) -> bool {
    let path = format!("/{}", source.path);
    let named = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
    (named || path.contains("/src/bin/")) && !source.is_in("tests/badplugins")
}

mod tests {
    use super::*;
    use crate::source::tree;

    const BLOCK: &str = "fn a() {\n    unsafe { b() }\n}";

    #[test]
    fn unsafe_code_outside_its_rooms_is_found() {
        let found = problems(&tree(&[
            ("host/src/region/a.rs", BLOCK),
            ("plugins/memory/tests/a.rs", BLOCK),
            ("plugin-api/src/values.rs", "unsafe impl Send for A {}"),
        ]));
        let expected = [
            "host/src/region/a.rs:2: unsafe code",
            "plugin-api/src/values.rs:1: unsafe code",
            "plugins/memory/tests/a.rs:2: unsafe code",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn its_rooms_and_one_module_of_tests_may_hold_it() {
        let mut files = vec![
            ("plugin-api/src/value.rs", BLOCK),
            ("plugin-api/src/adapter/a.rs", BLOCK),
            ("host/src/loader/a.rs", BLOCK),
            ("tests/badplugins/a/src/lib.rs", BLOCK),
            ("tests/tests/a.rs", BLOCK),
            (
                "host/src/b.rs",
                "// unsafe\nconst A: &str = \"unsafe\"; #[allow(unsafe_code)]",
            ),
        ];
        assert_eq!(problems(&tree(&files)), Vec::<String>::new());
        files.push(("tests/tests/c.rs", BLOCK));
        let expected =
            "unsafe code in more than one module of tests: tests/tests/a.rs:2, tests/tests/c.rs:2";
        assert_eq!(problems(&tree(&files)), [expected]);
    }

    #[test]
    fn a_crate_that_does_not_forbid_it_is_found() {
        let found = problems(&tree(&[
            ("host/src/lib.rs", "#![forbid(unsafe_code)]"),
            ("host/cli/src/main.rs", "#![deny(unsafe_code)]"),
            ("plugins/a/src/lib.rs", "// #![forbid(unsafe_code)]"),
            ("plugins/b/src/lib.rs", "#![forbid( unsafe_code )]"),
            ("plugin-api/src/lib.rs", "#![deny(unsafe_code)]"),
        ]));
        let expected = [
            "host/cli/src/main.rs: lacks #![forbid(unsafe_code)]",
            "host/src/lib.rs: lacks #![deny(unsafe_code)]",
            "plugins/a/src/lib.rs: lacks #![forbid(unsafe_code)]",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_crate_of_tests_may_deny_it_while_its_module_needs_that() {
        let root = ("tests/src/lib.rs", "#![deny(unsafe_code)]");
        assert_eq!(
            problems(&tree(&[root, ("tests/src/fork.rs", BLOCK)])),
            Vec::<String>::new()
        );
        assert_eq!(
            problems(&tree(&[root])),
            ["tests/src/lib.rs: lacks #![forbid(unsafe_code)]"]
        );
    }
}
