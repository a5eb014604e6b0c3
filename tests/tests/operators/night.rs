//! The tables for three in the morning are whole.

use std::fs;
use std::path::Path;

use crate::{project, read};

const GUIDE: &str = "docs/for-operators.md";
const CODES: &str = "docs/plugins-that-misbehave.md";

/// The names, in code, of the first cells of all tables of a page.
fn rows(page: &str) -> Vec<String> {
    let page = read(page);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" |").next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

#[track_caller]
fn once(page: &str, names: &[String]) {
    let rows = rows(page);
    let count = |name: &String| rows.iter().filter(|row| *row == name).count();
    let problems: Vec<_> = names.iter().filter(|name| count(name) != 1).collect();
    assert!(
        problems.is_empty(),
        "not once in a table of {page}: {problems:?}"
    );
}

/// The code of all that is shipped, without the tests beside it. A text that goes on in the next line is one.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !["tests", "examples"].contains(&&*name) {
                sources(&path, all);
            }
        } else if path.extension() == Some("rs".as_ref()) && name != "tests.rs" {
            let text = fs::read_to_string(&path).expect("it can be read");
            let code = text.split("#[cfg(test)]\nmod tests {").next();
            let parts = code.unwrap_or_default().split("\\\n");
            all.push(parts.map(str::trim_start).collect());
        }
    }
}

fn shipped() -> Vec<String> {
    let mut all = Vec::new();
    for folder in [
        "host/src",
        "host/cli/src",
        "plugin-api/src",
        "plugins",
        "templates/src",
    ] {
        sources(&project().join(folder), &mut all);
    }
    all
}

/// The texts of a piece of code.
fn texts(code: &str) -> Vec<String> {
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// What is given to a macro, of the code that follows its parenthesis.
fn given(code: &str) -> &str {
    let (mut open, mut is_text) = (1, false);
    let end = code.find(|one| {
        match one {
            '"' => is_text = !is_text,
            '(' if !is_text => open += 1,
            ')' if !is_text => open -= 1,
            _ => {}
        }
        open == 0
    });
    &code[..end.unwrap_or(code.len())]
}

/// What the function of that name answers with, wherever there is one whose answers are listed.
fn answers(sources: &[String], function: &str) -> Vec<String> {
    let head = format!("fn {function}(");
    let bodies = sources.iter().flat_map(|code| code.split(&head).skip(1));
    let bodies = bodies.map(|body| body.split("\n    }\n").next().unwrap_or_default());
    bodies.flat_map(texts).collect()
}

#[test]
fn each_error_code_has_a_row_that_explains_it_and_one_that_says_what_to_do() {
    let sources = shipped();
    let mut codes = answers(&sources, "code");
    let by_hand = "plugin-kills-the-process";
    assert!(
        sources
            .iter()
            .any(|code| code.contains(&format!("\"{by_hand}\"")))
    );
    codes.push(by_hand.to_owned());
    assert!(codes.len() > 35, "{codes:?}");
    once(CODES, &codes);
    once(GUIDE, &codes);
}

#[test]
fn each_kind_of_error_of_the_metrics_has_a_row() {
    let kinds = answers(&[read("host/src/error.rs")], "name");
    assert!(kinds.len() > 15, "{kinds:?}");
    once(GUIDE, &kinds);
}

#[test]
fn each_alert_has_a_row_and_each_row_an_alert() {
    let alerts = read("docs/alerts.yml");
    let alerts = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<String> = alerts.map(str::to_owned).collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    once(GUIDE, &alerts);
    let rows = rows(GUIDE)
        .into_iter()
        .filter(|row| row.starts_with("Dogpile"));
    let unknown: Vec<_> = rows.filter(|row| !alerts.contains(row)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn each_message_at_level_error_has_a_row_and_what_the_rows_show_is_logged() {
    let guide = read(GUIDE);
    let table = guide.split("\n### The log\n").nth(1).expect("there is one");
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let first = rows.filter_map(|row| row.split(" |").next());
    let known: Vec<&str> = first.flat_map(|cell| cell.split('`').step_by(2)).collect();

    let sources = shipped();
    let calls = sources.iter().flat_map(|code| {
        let calls = code.split("error!(").zip(code.split("error!(").skip(1));
        let calls = calls.filter(|(before, _)| !before.ends_with("compile_"));
        calls.map(|(_, call)| given(call))
    });
    let messages: Vec<String> = calls.filter_map(|call| texts(call).pop()).collect();
    assert!(messages.len() > 15, "{messages:?}");
    // What a plugin logged, and what is put together of parts that have rows of their own.
    let is_of_parts = |message: &str| {
        let mut words = message.split(['{', '}']).step_by(2);
        words.all(|text| !text.contains(char::is_alphabetic))
    };
    let is_known = |message: &str| known.iter().any(|text| message.contains(text));
    let unknown = messages
        .iter()
        .filter(|message| !is_of_parts(message) && !is_known(message));
    let unknown: Vec<_> = unknown.collect();
    assert!(unknown.is_empty(), "{unknown:#?}");

    // And what is shown is what is written, that of the warnings too.
    let shown = table.split('`').skip(1).step_by(2);
    let shown = shown.filter(|text| text.contains(' '));
    let is_written = |text: &str| sources.iter().any(|code| code.contains(text));
    let unwritten: Vec<_> = shown.filter(|text| !is_written(text)).collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}
