//! Imports are how a reader sees what a module depends on, so only a test module imports all that
//! its parent has. What a macro writes is read nowhere: it may.

use crate::source::{Source, Token, Tree};

const GLOB: [&str; 5] = ["use", "super", "::", "*", ";"];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let sources = tree.sources.iter().filter(|source| !is_test_file(source));
    sources.flat_map(in_source).collect()
}

/// Whether the whole file is a test module, by its name or its folder's.
fn is_test_file(source: &Source) -> bool {
    source
        .path
        .trim_end_matches(".rs")
        .split('/')
        .any(|part| part == "tests" || is_test_name(part))
}

fn is_test_name(name: &str) -> bool {
    name == "tests" || name.ends_with("_tests")
}

fn in_source(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let mut problems = Vec::new();
    // One entry for each open brace: whether what is in it may.
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => open.push(opens_exception(&tokens[..at])),
            "}" => drop(open.pop()),
            "use" if is_glob(&tokens[at..]) && !open.contains(&true) => {
                let place = format!("{}:{}", source.path, token.line);
                problems.push(format!(
                    "{place}: a glob import of the parent outside a test module"
                ));
            }
            _ => {}
        }
    }
    problems
}

fn is_glob(tokens: &[Token<'_>]) -> bool {
    tokens
        .iter()
        .map(|token| token.text)
        .take(GLOB.len())
        .eq(GLOB)
}

/// Whether the tokens end in `macro_rules! NAME`, in `mod NAME` with a test's name, or in `mod NAME`
/// under an attribute that says `test`.
fn opens_exception(before: &[Token<'_>]) -> bool {
    let [rest @ .., keyword, name] = before else {
        return false;
    };
    if keyword.text != "mod" {
        return keyword.text == "!" && rest.last().is_some_and(|last| last.text == "macro_rules");
    }
    let declaration = rest
        .iter()
        .rposition(|token| matches!(token.text, ";" | "}" | "{"));
    let attributes = &rest[declaration.map_or(0, |at| at + 1)..];
    is_test_name(name.text) || attributes.iter().any(|token| token.text == "test")
}

mod tests {
    use super::*;
    use crate::source::tree;

    #[test]
    fn a_glob_import_of_the_parent_is_found() {
        let found = problems(&tree(&[
            ("a.rs", "mod b {\n    use super::*;\n}"),
            (
                "b.rs",
                "#[cfg(test)]\nmod a { fn a() {} }\nmod b {\n pub use super::*; }",
            ),
            ("c/d.rs", "use super::*;"),
        ]));
        let place = |line| format!("{line}: a glob import of the parent outside a test module");
        assert_eq!(found, [place("a.rs:2"), place("b.rs:4"), place("c/d.rs:1")]);
    }

    #[test]
    fn test_modules_and_macros_may() {
        let found = problems(&tree(&[
            ("a.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
            (
                "b.rs",
                "#[cfg(all(test, unix))] pub(crate) mod b { mod c { use super::*; } }",
            ),
            ("c/tests.rs", "use super::*;"),
            ("c/d_tests.rs", "use super::*;"),
            ("e/tests/f.rs", "use super::*;"),
            (
                "f.rs",
                "macro_rules! f { () => { mod a { use super::*; } } }",
            ),
            ("g.rs", "use super::{a, b}; use super::c::*;"),
        ]));
        assert_eq!(found, Vec::<String>::new());
    }
}
