//! The table of dogpile.cache's tests has each of them once, and the tests of ours that it names are there.

use std::collections::BTreeMap;

use crate::named_tests::{quoted, unknown};
use crate::source::Tree;

const TABLE: &str = "tests/DOGPILE_TESTS.md";

/// File and name of each test that dogpile.cache 1.5.0 has for its lock, its region, its decorators and all backends.
pub(crate) const THEIRS: &str = include_str!("dogpile_tests.txt");

/// A row of the table.
struct Row<'a> {
    line: usize,
    /// What it stands under.
    heading: &'a str,
    first: &'a str,
    last: &'a str,
}

pub(crate) fn problems(tree: &Tree, theirs: &str) -> Vec<String> {
    let Some((_, table)) = tree.documents.iter().find(|(path, _)| path == TABLE) else {
        return vec![format!("{TABLE} is not there")];
    };
    let rows = rows(table);
    let mut problems = unlisted(&rows, theirs);
    let unknown = |row: &Row<'_>| unknown(tree, (TABLE, row.line), row.last);
    problems.extend(rows.iter().flat_map(unknown));
    problems
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let mut heading = "";
    let mut rows = Vec::new();
    for (index, line) in table.lines().enumerate() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text;
        }
        let cells = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"));
        if let Some((first, rest)) = cells.and_then(|cells| cells.split_once(" | ")) {
            rows.push(Row {
                line: index + 1,
                heading,
                first,
                last: rest.rsplit(" | ").next().unwrap_or(rest),
            });
        }
    }
    rows
}

/// Those of theirs that are not in the table once, and those in the table that they do not have.
fn unlisted(rows: &[Row<'_>], theirs: &str) -> Vec<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let name = quoted(row.first).next();
        if let Some(name) = name.filter(|name| name.contains("test_")) {
            *times.entry(format!("{} {name}", row.heading)).or_default() += 1;
        }
    }
    let mut problems = Vec::new();
    for name in theirs.lines() {
        let times = times.remove(name).unwrap_or_default();
        if times != 1 {
            problems.push(format!("{TABLE} has `{name}` {times} times"));
        }
    }
    let more = times.into_keys();
    problems.extend(more.map(|name| format!("{TABLE}: dogpile.cache has no `{name}`")));
    problems
}

mod tests {
    use super::*;
    use crate::source::tree;

    const THEIRS: &str = "a.py A.test_a\na.py A.test_b\n";

    fn found(rows: &str) -> Vec<String> {
        let table = format!("## a.py\n\n| dogpile's | ours |\n|---|---|\n{rows}\n");
        let files = [
            (TABLE, &*table),
            (
                "a.rs",
                "#[test]\nfn it_is() {}\nfn it_helps() {}\n// fn it_was()",
            ),
            ("plugin-api/src/testing/b.rs", "&[(\"a_case_holds\", f)]"),
        ];
        problems(&tree(&files), THEIRS)
    }

    #[test]
    fn a_table_of_all_with_tests_and_reasons_is_fine() {
        let rows = "| `A.test_a` | `a.rs`: `it_is`; `plugin-api/src/testing/b.rs`: `a_case_holds`. Not `get` |\n\
                    | `A.test_b` | Python only: `some_thing` |\n\n## More\n\n| `what_is` | right | `a.rs`: `it_is` |";
        assert_eq!(found(rows), [""; 0]);
    }

    #[test]
    fn one_of_theirs_that_is_missing_twice_there_or_made_up_is_found() {
        let rows = "| `A.test_a` | none |\n| `A.test_a` | none |\n| `A.test_c` | none |";
        let expected = [
            format!("{TABLE} has `a.py A.test_a` 2 times"),
            format!("{TABLE} has `a.py A.test_b` 0 times"),
            format!("{TABLE}: dogpile.cache has no `a.py A.test_c`"),
        ];
        assert_eq!(found(rows), expected);
        assert_eq!(problems(&tree(&[("a.rs", "")]), THEIRS).len(), 1);
    }

    #[test]
    fn a_test_or_file_of_ours_that_is_not_there_is_found() {
        let rows = "| `A.test_a` | `a.rs`: `it_is`, `it_was`, `it_helps`, `a_case_holds` |\n\
                    | `A.test_b` | `c.rs`: `it_is` |";
        let expected = [
            format!("{TABLE}:5: a.rs has no test `it_was`"),
            format!("{TABLE}:5: a.rs has no test `it_helps`"),
            format!("{TABLE}:5: a.rs has no test `a_case_holds`"),
            format!("{TABLE}:6: there is no `c.rs`"),
        ];
        assert_eq!(found(rows), expected);
    }
}
