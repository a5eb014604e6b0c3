//! What the pages of `docs/` show is what happens. CONTRIBUTING.md says how a block is written.

#![forbid(unsafe_code)]

mod archive;
mod page;
mod shell;

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use dogpile_tests::outside::workspace;

use page::{Block, Typed, blocks, commands};

/// What tests of their own run: of a page, the blocks of some languages.
const ELSEWHERE: [(&str, &[&str], &str); 3] = [
    (
        "python.md",
        &["python", "console"],
        "tests/tests/redis/python_page.rs",
    ),
    (
        "python-memcached.md",
        &["python", "console"],
        "tests/tests/memcached/python_page.rs",
    ),
    ("templates.md", &["html"], "templates/tests/views/guide.rs"),
];

/// Where the pages are documentation tests.
const DOC_TESTS: &str = "tests/src/lib.rs";

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).expect(file)
}

/// The file as which a block is saved: what its first line says (`# NAME`), or the manifest.
fn file_name(block: &Block) -> &str {
    let first = block.text.lines().next().unwrap_or_default();
    let name = first.strip_prefix("# ").unwrap_or_default();
    if Path::new(name).extension().is_some() && !name.contains(' ') {
        name
    } else {
        "dogpile.toml"
    }
}

/// Saves a block; a manifest is looked at.
fn saved(block: &Block) -> Typed {
    let name = file_name(block);
    let mut command = format!("cat > {name} <<'END OF BLOCK'\n{}END OF BLOCK", block.text);
    let mut expected = String::new();
    if name == "dogpile.toml" {
        command.push_str("\ndogpile --manifest dogpile.toml check --no-connect");
        expected.push_str("…ok: …\n");
    }
    Typed {
        line: block.line,
        command,
        expected,
    }
}

/// A block is run or saved here, run elsewhere, or `text`, which nobody runs.
fn typed(page: &str, block: &Block, problems: &mut String) -> Vec<Typed> {
    let language = block.language.split(',').next().unwrap_or_default();
    let mut problem = |what: &str| {
        let _ = writeln!(problems, "docs/{page}:{}: {what}", block.line);
    };
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(of, languages, _)| *of == page && languages.contains(&language));
    match language {
        "console" if elsewhere.is_none() => return commands(block),
        "toml" => return vec![saved(block)],
        "text" => {}
        "rust" => {
            if !read(DOC_TESTS).contains(&format!("include_str!(\"../../docs/{page}\")")) {
                problem(&format!(
                    "its Rust is not run: list the page in {DOC_TESTS}"
                ));
            }
        }
        _ => match elsewhere {
            Some((.., test)) if read(test).contains(&format!("docs/{page}\")")) => {}
            Some((.., test)) => problem(&format!("{test} does not have the page")),
            None => problem("nobody runs it: if that is meant, it is ```text"),
        },
    }
    Vec::new()
}

/// What is wrong with a page.
fn problems(page: &str, text: &str) -> String {
    let mut problems = String::new();
    let blocks = blocks(text);
    let typed: Vec<Typed> = blocks
        .iter()
        .flat_map(|block| typed(page, block, &mut problems))
        .collect();
    if typed.is_empty() {
        return problems;
    }
    let root = tempfile::tempdir().expect("there is room");
    let folder = shell::with_plugins(root.path());
    problems + &shell::differences(&format!("docs/{page}"), &typed, root.path(), &folder)
}

#[test]
fn each_block_of_each_page_is_run_and_does_what_the_page_shows() {
    let mut all = String::new();
    for file in fs::read_dir(workspace().join("docs")).expect("there is one") {
        let file = file.expect("it can be listed").path();
        let page = file.file_name().unwrap_or_default().to_string_lossy();
        if page.ends_with(".md") {
            all.push_str(&problems(&page, &read(&format!("docs/{page}"))));
        }
    }
    assert!(all.is_empty(), "\n{all}");
}

#[test]
fn what_a_page_shows_wrongly_or_nobody_runs_is_told() {
    let page = "\
```console
$ echo one; echo two \\
>     three
one
…ee
$ echo more
other
$ exit 3
```
```toml
version = 2
```
```toml
# other.toml
a = 1
```
```console
$ cat other.toml
# other.toml
a = 1
```
```yaml
```
```rust
```
```text
```
";
    let told = problems("none.md", page);
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("docs/none.md"))
        .collect();
    assert_eq!(
        lines,
        [
            "docs/none.md:22: nobody runs it: if that is meant, it is ```text",
            "docs/none.md:24: its Rust is not run: list the page in tests/src/lib.rs",
            "docs/none.md:6: status 0",
            "docs/none.md:8: status unknown: the shell has ended",
            "docs/none.md:10: status unknown: the shell has ended",
            "docs/none.md:13: status unknown: the shell has ended",
            "docs/none.md:18: status unknown: the shell has ended",
        ],
        "{told}"
    );
    let told = problems("none.md", &page.replace("$ exit 3", "$ (exit 3)"));
    assert!(told.contains("docs/none.md:8: status 3\n"), "{told}");
    assert!(told.contains("docs/none.md:10: status 1"), "{told}");
    assert!(!told.contains(":13:") && !told.contains(":18:"), "{told}");
}

/// All code in a folder.
fn code(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("it can be listed");
    let texts = entries.map(|entry| {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            code(&path)
        } else if path.extension() == Some("rs".as_ref()) {
            fs::read_to_string(&path).expect("it can be read")
        } else {
            String::new()
        }
    });
    texts.collect()
}

#[test]
fn each_word_of_the_glossary_is_explained_once_and_what_it_names_is_there() {
    let glossary = read("docs/glossary.md");
    let folders = ["host", "plugin-api/src", "plugins", "templates/src"];
    let code: String = folders
        .map(|folder| code(&workspace().join(folder)))
        .concat();
    let (mut explained, mut problems) = (HashSet::new(), Vec::new());
    for (line, text) in (1..).zip(glossary.lines()) {
        for name in text.split('`').skip(1).step_by(2) {
            let parts = name.split(|one: char| !(one.is_alphanumeric() || "_-".contains(one)));
            let unknown = parts.filter(|part| !code.contains(part.trim_matches('-')));
            problems.extend(unknown.map(|part| format!("line {line}: there is no `{part}`")));
        }
        let Some((word, _)) = text.strip_prefix("| ").and_then(|row| row.split_once(" |")) else {
            continue;
        };
        if word != "word" && !word.split(", ").all(|word| explained.insert(word)) {
            problems.push(format!("line {line}: {word} is there already"));
        }
    }
    assert!(explained.len() > 50, "{explained:?}");
    assert!(
        problems.is_empty(),
        "docs/glossary.md:\n{}",
        problems.join("\n")
    );
}
