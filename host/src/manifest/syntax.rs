use std::collections::BTreeSet;
use std::ops::Range;

use super::advice::advice;
use super::error::Severity;
use super::read::Finding;
use super::source::Source;

/// How many syntax errors of one file are told: with so many it is no manifest.
const MOST: usize = 50;

/// What a file's syntax errors leave to be said about it.
pub(super) struct Damage {
    /// The lines with syntax errors.
    lines: BTreeSet<usize>,
    /// Something is not closed: what follows was read as part of it.
    pub(super) unclosed: bool,
}

impl Damage {
    /// Whether a finding in the recovered tree may be told: it must not come from the damage.
    pub(super) fn spares(&self, finding: &Finding) -> bool {
        self.lines.is_empty()
            || !(finding.absence || self.unclosed || self.lines.contains(&finding.error.line()))
    }
}

/// Turns the parser's errors into ours: one for each line.
pub(super) fn report(
    index: usize,
    source: &Source,
    errors: &[toml::de::Error],
    findings: &mut Vec<Finding>,
) -> Damage {
    let mut damage = Damage {
        lines: BTreeSet::new(),
        unclosed: false,
    };
    let lines = source.text().lines().enumerate();
    let headers: Vec<usize> = lines
        .filter(|(_, line)| header(line).is_some())
        .map(|(index, _)| index + 1)
        .collect();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        let (line, _) = source.position(span.start);
        // A key that is defined twice because its table is.
        let after_effect = message == "duplicate key"
            && headers.binary_search(&line).is_err()
            && headers[..headers.partition_point(|&header| header < line)]
                .last()
                .is_some_and(|header| damage.lines.contains(header));
        if after_effect || damage.lines.contains(&line) {
            continue;
        }
        damage.lines.insert(line);
        damage.unclosed = leaves_open(message);
        let (message, remedy) = explain(source, &span, message);
        findings.push(Finding {
            source: index,
            absence: false,
            error: source.finding(Severity::Error, &span, message, remedy),
            span,
        });
        // What follows something that is not closed was read as part of it.
        if damage.unclosed || damage.lines.len() == MOST {
            break;
        }
    }
    damage
}

fn leaves_open(message: &str) -> bool {
    [
        "unclosed",
        "missing comma",
        "missing key for inline",
        "missing inline",
        "missing array",
    ]
    .iter()
    .any(|start| message.starts_with(start))
        || (message.starts_with("invalid") && message.contains("string"))
}

fn explain(source: &Source, span: &Range<usize>, message: &str) -> (String, String) {
    let text = source.text();
    if message == "duplicate key" {
        let key = text.get(span.clone()).unwrap_or_default();
        let (start, line) = line_at(text, span.start);
        let shown = header(line).unwrap_or(key);
        let first = first_definition(text, start, line, key).map_or(String::new(), |offset| {
            format!(": first at {}", source.display(offset))
        });
        return (
            format!("`{shown}` is defined twice{first}"),
            "remove or rename one of them".into(),
        );
    }
    let cut_short = text[text.floor_char_boundary(span.start)..]
        .trim()
        .is_empty();
    let quotes = message.starts_with("string values must be quoted");
    let remedy = advice(text, span, message);
    let message = if quotes || cut_short {
        message.split(", expected").next().unwrap_or(message)
    } else {
        message
    };
    (format!("not valid TOML: {message}"), remedy)
}

/// The line around an offset, and where it begins.
fn line_at(text: &str, offset: usize) -> (usize, &str) {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    (start, &text[start..end])
}

/// `[a.b]`, if the line is a header.
fn header(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let close = line.starts_with('[').then(|| line.find(']'))??;
    Some(&line[..=close])
}

/// Where the key or header of a line stands first. The parser does not say, so lines are compared;
/// for the rare forms that this does not see there is no answer.
fn first_definition(text: &str, start: usize, line: &str, key: &str) -> Option<usize> {
    let mut at = 0;
    let before = text[..start].split_inclusive('\n').map(|line| {
        at += line.len();
        (at - line.len(), line)
    });
    let bare = |line: &str| header(line).map(|h| h.split_whitespace().collect::<String>());
    let found = if let Some(wanted) = bare(line) {
        before
            .into_iter()
            .find(|(_, line)| bare(line).as_ref() == Some(&wanted))
    } else {
        let mut found = None;
        for (at, line) in before {
            let rest = line.trim_start().strip_prefix(key);
            if line.trim_start().starts_with('[') {
                found = None;
            } else if found.is_none() && rest.is_some_and(|r| r.trim_start().starts_with('=')) {
                found = Some((at, line));
            }
        }
        found
    };
    found.map(|(at, line)| at + line.len() - line.trim_start().len())
}
