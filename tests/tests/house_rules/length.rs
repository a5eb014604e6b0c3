//! No source file has more lines of code than one reader takes in.

use crate::source::{Source, Tree};

const LIMIT: usize = 500;

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    tree.sources
        .iter()
        .map(|source| (source, length(source)))
        .filter(|(_, length)| *length > LIMIT)
        .map(|(source, length)| {
            format!(
                "{}: {length} lines of code; more than {LIMIT} are two ideas",
                source.path
            )
        })
        .collect()
}

/// Lines that are neither blank nor comment.
fn length(source: &Source) -> usize {
    source
        .code
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count()
}

mod tests {
    use super::*;
    use crate::source::tree;

    #[test]
    fn code_counts_and_comments_and_blank_lines_do_not() {
        let within = "// one\n\n/* two\n */\nlet a = \"\n//\";\n".repeat(LIMIT / 2);
        assert_eq!(problems(&tree(&[("a.rs", &within)])), Vec::<String>::new());
        let beyond = format!("{within}let b;\n");
        let expected = "a/tests/b.rs: 501 lines of code; more than 500 are two ideas";
        assert_eq!(problems(&tree(&[("a/tests/b.rs", &beyond)])), [expected]);
    }
}
