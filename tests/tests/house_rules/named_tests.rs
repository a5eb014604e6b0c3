//! Tests that documents name.

use crate::source::{Source, Tree};

/// What is between backticks.
pub(crate) fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Files and tests that a cell of a document's table names and that are not there. Every name with a `_` after a file is
/// that of a test.
pub(crate) fn unknown(tree: &Tree, (document, line): (&str, usize), cell: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut file = None;
    for name in quoted(cell) {
        if std::path::Path::new(name).extension() == Some("rs".as_ref()) {
            file = tree.sources.iter().find(|source| source.path == name);
            if file.is_none() {
                problems.push(format!("{document}:{line}: there is no `{name}`"));
            }
        } else if let Some(file) = file
            && name.contains('_')
            && !has_test(file, name)
        {
            let path = &file.path;
            problems.push(format!("{document}:{line}: {path} has no test `{name}`"));
        }
    }
    problems
}

/// Whether it has a test of that name, or a case of a suite.
fn has_test(source: &Source, name: &str) -> bool {
    let tokens: Vec<_> = source.tokens().iter().map(|token| token.text).collect();
    tokens
        .windows(6)
        .any(|six| six == ["#", "[", "test", "]", "fn", name])
        || (source.is_in("plugin-api/src/testing") && source.text.contains(&format!("\"{name}\",")))
}
