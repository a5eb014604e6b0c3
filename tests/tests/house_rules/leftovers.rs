//! No source or document names a macro that stands for what is not written yet, or for debugging.

use crate::source::Tree;

/// In two parts, so that this file does not name them.
const MACROS: &[[&str; 2]] = &[["todo", "!"], ["unimplemented", "!"], ["dbg", "!"]];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let sources = tree
        .sources
        .iter()
        .map(|source| (&source.path, &source.text));
    let documents = tree.documents.iter().map(|(path, text)| (path, text));
    let mut problems = Vec::new();
    for (path, text) in sources.chain(documents) {
        for (index, line) in text.lines().enumerate() {
            for name in MACROS.iter().map(|parts| parts.concat()) {
                if line.contains(&name) {
                    problems.push(format!("{path}:{}: `{name}`", index + 1));
                }
            }
        }
    }
    problems
}

mod tests {
    use super::*;
    use crate::source::tree;

    #[test]
    fn they_are_found_in_code_comments_and_documents() {
        let [later, never, debug] = [0, 1, 2].map(|index| MACROS[index].concat());
        let found = problems(&tree(&[
            ("a.rs", &format!("fn a() {{\n    {later}()\n}}")),
            ("b.rs", &format!("// {never}")),
            ("c.md", &format!("{debug}(x)")),
            ("good.rs", "todo(); unimplemented(); // dbg"),
        ]));
        let expected = [
            format!("a.rs:2: `{later}`"),
            format!("b.rs:1: `{never}`"),
            format!("c.md:1: `{debug}`"),
        ];
        assert_eq!(found, expected);
    }
}
