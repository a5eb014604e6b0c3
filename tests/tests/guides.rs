//! What the pages of `docs/` show is what happens. CONTRIBUTING.md says how a block is written.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogpile_tests::outside::{Builder, workspace};
use dogpile_tests::plugin_file;
use rustix::process::{Pid, Signal, kill_process_group};

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

/// What is `cargo` in a page: where the tests' fixtures are built, of the same versions, and what is to be optimised is not.
const CARGO: &str = r#"#!/bin/sh
export HOME="$BUILDER_HOME"
[ -e Cargo.lock ] || cp "$VERSIONS" Cargo.lock
words= release=
for word; do
  case $word in --release) release=yes ;; *) words="$words $word" ;; esac
done
"$CARGO" $words --offline || "$CARGO" $words || exit
[ "$release" ] || exit 0
name=lib$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | head -n 1 | tr - _).so
mkdir -p target/release
cp "$CARGO_TARGET_DIR/debug/$name" target/beside
mv target/beside "target/release/$name"
"#;

/// Between the outputs of two commands, with the status of the first.
const MARK: char = '\u{1}';

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).expect(file)
}

/// A fenced block, with the line of the page where it begins.
struct Block {
    line: usize,
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    line: number + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// What is typed in a page's folder, and what is to be seen then.
struct Typed {
    line: usize,
    command: String,
    expected: String,
}

/// The commands of a `console` block; a line that begins with `> ` belongs to the command before it.
fn commands(block: &Block) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for (number, line) in block.text.lines().enumerate() {
        let last = typed.last_mut();
        match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
            (Some(command), ..) => typed.push(Typed {
                line: block.line + 1 + number,
                command: command.to_owned(),
                expected: String::new(),
            }),
            (None, Some(more), Some(last)) if last.expected.is_empty() => {
                last.command.extend(["\n", more]);
            }
            (None, _, Some(last)) => last.expected.extend([line, "\n"]),
            (None, _, None) => panic!("line {}: no command before it", block.line + 1 + number),
        }
    }
    typed
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

/// `…` stands for any text, and newlines at the end for nothing.
fn matches(expected: &str, found: &str) -> bool {
    let [expected, found] = [expected, found].map(|text| text.trim_end_matches('\n'));
    let Some((first, others)) = expected.split_once('…') else {
        return expected == found;
    };
    let (middle, last) = others.rsplit_once('…').unwrap_or(("", others));
    let rest = found.strip_prefix(first);
    let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    middle.split('…').all(|part| {
        let at = rest.find(part);
        rest = at.map_or("", |at| &rest[at + part.len()..]);
        at.is_some()
    })
}

/// The folder of the built plugins, where the command is too.
fn built() -> PathBuf {
    let plugin = plugin_file("memory");
    plugin.parent().expect("it lies in a folder").to_owned()
}

/// Puts the page's `cargo` there, in a folder of its own, for which it waits until nobody else builds.
fn cargo(shell: &mut Command, bin: &Path) -> Builder {
    let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir(bin).expect("it is new");
    let program = bin.join("cargo");
    fs::write(&program, CARGO).expect("there is room");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let variable = |name: &str| std::env::var_os(name);
    shell
        .env("CARGO", variable("CARGO").unwrap_or("cargo".into()))
        .env("CARGO_TARGET_DIR", builder.target())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("BUILDER_HOME", variable("HOME").unwrap_or_default())
        .env("VERSIONS", workspace().join("Cargo.lock"));
    builder
}

/// Runs what is typed in one shell, in a new folder whose `plugins` has all plugins, and beside which `dogpile` is the project.
/// Whatever it leaves behind ends.
fn run(typed: &[Typed]) -> String {
    let root = tempfile::tempdir().expect("there is room");
    let folder = root.path().join("page");
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins).expect("it is new");
    for file in fs::read_dir(built()).expect("it was built") {
        let file = file.expect("it can be listed").path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("libdogpile_plugin_") && name.ends_with(".so") {
            symlink(&file, plugins.join(&*name)).expect("the folder is empty");
        }
    }
    symlink(workspace(), root.path().join("dogpile")).expect("the folder is empty");
    let mut script = String::from("exec 2>&1\n");
    for one in typed {
        let _ = write!(script, "{}\nprintf '{MARK}%d{MARK}' $?\n", one.command);
    }
    fs::write(root.path().join("script"), script).expect("there is room");
    // A file, since what goes on in the background would keep a pipe open.
    let output = root.path().join("output");
    let path = std::env::var("PATH").expect("there is one");
    let bin = root.path().join("bin");
    let mut shell = Command::new("sh");
    let builds = typed.iter().any(|one| one.command.starts_with("cargo "));
    let _builder = builds.then(|| cargo(&mut shell, &bin));
    let mut shell = shell
        .arg("../script")
        .current_dir(&folder)
        .env(
            "PATH",
            format!("{}:{}:{path}", bin.display(), built().display()),
        )
        .env("HOME", &folder)
        .env_remove("DOGPILE_MANIFEST")
        .env_remove("RUST_LOG")
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("there is room"))
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    shell.wait().expect("it is a child");
    // An error if there is nobody left.
    let _ = kill_process_group(Pid::from_child(&shell), Signal::KILL);
    fs::read_to_string(&output).expect("it was written")
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
    let output = run(&typed);
    let mut parts = output.split(MARK);
    for one in &typed {
        let (found, status) = (parts.next(), parts.next());
        let found = found.unwrap_or_default();
        if status != Some("0") || !matches(&one.expected, found) {
            let _ = writeln!(
                problems,
                "docs/{page}:{}: status {}\n{}\n--- expected:\n{}--- found:\n{found}",
                one.line,
                status.unwrap_or("unknown: the shell has ended"),
                one.command,
                one.expected,
            );
        }
    }
    problems
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
