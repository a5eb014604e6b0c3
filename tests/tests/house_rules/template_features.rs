//! The table of features of cached templates: each cell of ours names tests that are there, or says no.

use crate::named_tests::{quoted, unknown};
use crate::source::Tree;

const PAGE: &str = "docs/templates.md";

/// The columns of the engines that we have.
const OURS: [&str; 3] = ["Tera", "Askama", "MiniJinja"];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let Some((_, page)) = tree.documents.iter().find(|(path, _)| path == PAGE) else {
        return vec![format!("{PAGE} is not there")];
    };
    let mut problems = Vec::new();
    let mut rows = page
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, cells(line)?)))
        .skip_while(|(_, cells)| !OURS.iter().all(|engine| cells.contains(engine)));
    let Some((_, head)) = rows.next() else {
        return vec![format!("{PAGE} has no table with columns for {OURS:?}")];
    };
    // The line under the head.
    for (line, cells) in rows.skip(1) {
        for engine in OURS {
            let column = head.iter().position(|cell| *cell == engine);
            let cell = column.and_then(|column| cells.get(column)).copied();
            let cell = cell.unwrap_or_default();
            let names_a_test = quoted(cell).any(|name| name.contains('_') && !name.contains('/'));
            if !names_a_test && !matches!(cell, "no" | "not yet") {
                problems.push(format!("{PAGE}:{line}: the cell of {engine} names no test"));
            }
            problems.extend(unknown(tree, (PAGE, line), cell));
        }
    }
    problems
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

mod tests {
    use super::*;
    use crate::source::tree;

    fn found(rows: &str) -> Vec<String> {
        let page = format!(
            "| a | b |\n|---|---|\n| `x` | y |\n\n| | Mako | Tera | Askama | MiniJinja |\n|---|---|---|---|---|\n{rows}\n"
        );
        let files = [(PAGE, &*page), ("a/b.rs", "#[test]\nfn it_is() {}")];
        problems(&tree(&files))
    }

    #[test]
    fn cells_with_tests_that_are_there_or_a_no_are_fine() {
        let rows = "| X | yes | `a/b.rs`: `it_is` | no | not yet |";
        assert_eq!(found(rows), [""; 0]);
    }

    #[test]
    fn a_cell_without_a_test_or_with_one_that_is_not_there_is_found() {
        let rows = "| X | yes | yes | `a/b.rs`: `it_was` | `a/c.rs` |\n| Y | no | no |";
        let expected = [
            format!("{PAGE}:7: the cell of Tera names no test"),
            format!("{PAGE}:7: a/b.rs has no test `it_was`"),
            format!("{PAGE}:7: the cell of MiniJinja names no test"),
            format!("{PAGE}:7: there is no `a/c.rs`"),
            format!("{PAGE}:8: the cell of Askama names no test"),
            format!("{PAGE}:8: the cell of MiniJinja names no test"),
        ];
        assert_eq!(found(rows), expected);
        assert_eq!(problems(&tree(&[("a.rs", ""), (PAGE, "")])).len(), 1);
        assert_eq!(problems(&tree(&[("a.rs", "")])).len(), 1);
    }
}
