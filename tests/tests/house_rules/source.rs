//! Sources as the rules read them: found below a folder, with comments and literals blanked.

use std::fs;
use std::path::Path;

/// All sources and documents below a folder.
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    /// Path and text of each Markdown file.
    pub(crate) documents: Vec<(String, String)>,
}

/// One Rust file.
pub(crate) struct Source {
    /// From the tree's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments, its lines where they were. What is between quotes is underscores.
    pub(crate) code: String,
}

/// An identifier, a number, `::` or one character of punctuation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Tree {
    /// Reads what is below `root`, without build output and hidden folders.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self {
            sources: Vec::new(),
            documents: Vec::new(),
        };
        tree.walk(root, "");
        tree.sources.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(
            !tree.sources.is_empty(),
            "{} holds no source",
            root.display()
        );
        tree
    }

    fn walk(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().into_string().expect("names are UTF-8");
            let path = format!("{prefix}{name}");
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type().expect("the kind is known").is_dir() {
                self.walk(&entry.path(), &format!("{path}/"));
                continue;
            }
            let read = || fs::read_to_string(entry.path()).expect("sources are UTF-8");
            match path.rsplit_once('.') {
                Some((_, "rs")) => self.sources.push(Source::new(path, read())),
                Some((_, "md")) => self.documents.push((path, read())),
                _ => {}
            }
        }
    }

    /// The sources of a module: its file, and those in its folder.
    pub(crate) fn module<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources
            .iter()
            .filter(move |source| source.is_in(module))
    }
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let code = code(&text);
        Self { path, text, code }
    }

    /// Whether it is the module's file or one in its folder. `module` is a path without `.rs`.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        self.path
            .strip_prefix(module)
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/') || rest.is_empty())
    }

    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        for (index, line) in self.code.lines().enumerate() {
            let mut rest = line.trim_start();
            while let Some(first) = rest.chars().next() {
                let end = if is_word(first) {
                    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
                } else if rest.starts_with("::") {
                    2
                } else {
                    first.len_utf8()
                };
                tokens.push(Token {
                    text: &rest[..end],
                    line: index + 1,
                });
                rest = rest[end..].trim_start();
            }
        }
        tokens
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_word = out.ends_with(is_word);
        let (length, fill) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), ' ')
        } else if rest.starts_with("/*") {
            (block_comment(rest), ' ')
        } else if let Some(length) = raw_string(rest).filter(|_| !after_word) {
            (length, '_')
        } else if c == '"' {
            (quoted(rest, '"'), '_')
        } else if c == '\'' && is_character(rest) {
            (quoted(rest, '\''), '_')
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (piece, after) = rest.split_at(length);
        if fill == '_' {
            out.push('"');
        }
        out.extend(
            piece
                .chars()
                .map(|c| if c.is_whitespace() { c } else { fill }),
        );
        if fill == '_' {
            out.push('"');
        }
        rest = after;
    }
    out
}

/// Length of the comment at the start. Comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Length of the raw string at the start, if there is one.
fn raw_string(text: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].into_iter().find(|&start| {
        text.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(['#', '"']))
    })?;
    let hashes = text[start.len()..]
        .chars()
        .take_while(|&c| c == '#')
        .count();
    let body = start.len() + hashes;
    if !text[body..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        text[body + 1..]
            .find(&end)
            .map_or(text.len(), |at| body + 1 + at + end.len()),
    )
}

/// Length of the literal at the start, quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Tells a character from a lifetime.
fn is_character(text: &str) -> bool {
    let mut next = text.chars().skip(1);
    match next.next() {
        Some('\\') => true,
        Some(_) => next.next() == Some('\''),
        None => false,
    }
}

/// A tree in a temporary folder, for the tests of the rules.
#[cfg(test)]
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Tree::read(folder.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let source = Source::new("a.rs".to_owned(), text.to_owned());
        let words = source
            .tokens()
            .into_iter()
            .filter(|token| token.text.starts_with(is_word));
        words
            .map(|token| token.text.replace('_', ""))
            .filter(|word| !word.is_empty())
            .collect()
    }

    #[test]
    fn comments_and_literals_hold_no_code() {
        let text = r##"
            a // no "no
            b /* no /* no */ no */ c
            "no \" no // no" d
            r#"no " no"# e br"no \" f
            '"' g '\'' h 'é' i <'lifetime> '\u{1f600}' j b'"' k
        "##;
        let expected = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "lifetime", "j", "b", "k",
        ];
        assert_eq!(words(text), expected);
    }

    #[test]
    fn a_raw_identifier_starts_no_string() {
        assert_eq!(words("r#type r a\"no\" b"), ["r", "type", "r", "a", "b"]);
    }

    #[test]
    fn tokens_know_their_line() {
        let source = Source::new("a.rs".to_owned(), "/*\n*/ a\n\"\n\"::b".to_owned());
        let tokens: Vec<_> = source.tokens();
        let line = |text: &str| tokens.iter().find(|token| token.text == text).unwrap().line;
        assert_eq!((line("a"), line("::"), line("b")), (2, 4, 4));
    }

    #[test]
    fn build_output_and_hidden_folders_are_not_read() {
        let tree = tree(&[
            ("a.rs", ""),
            ("target/b.rs", ""),
            (".git/c.rs", ""),
            ("d/e.md", ""),
        ]);
        let paths: Vec<_> = tree
            .sources
            .iter()
            .map(|source| source.path.as_str())
            .collect();
        assert_eq!(paths, ["a.rs"]);
        assert_eq!(tree.documents[0].0, "d/e.md");
    }

    #[test]
    fn a_module_is_its_file_and_its_folder() {
        let tree = tree(&[("src/a.rs", ""), ("src/a/b.rs", ""), ("src/ab.rs", "")]);
        let paths: Vec<_> = tree
            .module("src/a")
            .map(|source| source.path.as_str())
            .collect();
        assert_eq!(paths, ["src/a.rs", "src/a/b.rs"]);
    }
}
