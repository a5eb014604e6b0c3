//! What would be right where a text is not TOML.

use std::ops::Range;

use super::source::is_invisible;

const RULES: &str = "TOML wants `key = value` on a line of its own, [table] headers, and strings in \
                     quotes; see https://toml.io";

/// How the parser begins about a value that is none.
const VALUES: [&str; 5] = [
    "invalid float",
    "invalid integer",
    "invalid boolean",
    "invalid date",
    "unexpected leading zero",
];

/// What people write for true, false and nothing.
const WORDS: [&str; 9] = [
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil",
];

/// What would be right in place of the span, of which the parser says `message`.
pub(super) fn advice(text: &str, span: &Range<usize>, message: &str) -> String {
    let at = text.floor_char_boundary(span.start);
    let rest = &text[at..];
    if rest.trim().is_empty() {
        return "the file ends here: complete it, or wait until it is saved whole".into();
    }
    let first = rest.chars().next().unwrap_or('\n');
    if is_invisible(first) {
        return format!(
            "there is an invisible U+{:04X} here: remove it, or write a blank",
            u32::from(first)
        );
    }
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    habit(text[start..at].trim(), rest)
        .unwrap_or_else(|| rule(message, first))
        .into()
}

/// What was meant by somebody who is used to other languages; `before` is on the same line.
fn habit(before: &str, rest: &str) -> Option<&'static str> {
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let is_word = WORDS.contains(&word.to_ascii_lowercase().as_str());
    if before.starts_with(';') || before.starts_with("//") {
        Some("a comment begins with #")
    } else if before.ends_with(':') || (rest.starts_with(':') && !before.is_empty()) {
        Some("write `key = value`: there is an = where other languages have a colon")
    } else if !before.ends_with('=') && !before.ends_with("= $") {
        None
    } else if rest.starts_with("${") || (before.ends_with('$') && rest.starts_with('{')) {
        Some("`${…}` stands in strings only: put it in quotes, as in \"${NAME}\"")
    } else if rest.starts_with(['“', '”', '„', '‘', '’', '«', '`']) {
        Some("these are no quotes of TOML: write \"…\" or '…'")
    } else if is_word {
        Some(
            "write true or false in small letters; for nothing, leave the line out; text is in quotes",
        )
    } else {
        None
    }
}

fn rule(message: &str, first: char) -> &'static str {
    let is_string = message.starts_with("invalid") && message.contains("string");
    match message {
        _ if message.starts_with("string values must be quoted") => {
            "put the value in quotes, as in \"5m\""
        }
        _ if message.starts_with("missing comma between key-value") => {
            "put a comma between the pairs, or close with } what was opened before"
        }
        _ if message.starts_with("missing comma") => {
            "put a comma between the elements, or close with ] what was opened before"
        }
        _ if message.starts_with("missing key for inline") => {
            "write { key = value, … }, or close with } what was opened before"
        }
        _ if message.starts_with("unclosed") => "close it",
        _ if message.contains("escaped") => {
            "write \\\\ for a backslash, or put the text in single quotes: '…'"
        }
        _ if message.contains("unquoted key") => {
            "put a key with other characters in quotes: \"…\" = value"
        }
        _ if is_string && first.is_control() && !"\r\n".contains(first) => {
            "there is a control character here: remove it, or write it as \\uXXXX between double quotes"
        }
        _ if is_string => "close the string with the quote that opened it, on the same line",
        _ if VALUES.iter().any(|start| message.starts_with(start)) => {
            "put text in quotes; without them only numbers, dates, true and false can stand here"
        }
        _ if message.starts_with("cannot extend") => {
            "a key has either a value or a table, not both"
        }
        _ if message.starts_with("cannot recurse") || message.starts_with("recursion") => {
            "nest values and tables less deeply"
        }
        _ if message.starts_with("carriage return") => {
            "save the file with line ends as Unix (LF) or Windows (CR LF) has them"
        }
        _ => RULES,
    }
}
