use std::ops::Range;

use super::error::Severity;
use super::read::Finding;
use super::source::Source;

const RULES: &str = "TOML wants `key = value` on a line of its own, [table] headers, and strings in \
                     quotes; see https://toml.io";

/// What a file's syntax errors leave to be said about it.
pub(super) struct Damage {
    /// The lines with syntax errors.
    lines: Vec<usize>,
    /// Something is not closed: what follows was read as part of it.
    unclosed: bool,
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
        lines: Vec::new(),
        unclosed: false,
    };
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        damage.unclosed |= message.starts_with("unclosed")
            || message.contains("string")
            || message.starts_with("missing inline table")
            || message.starts_with("missing array");
        let (line, _) = source.position(span.start);
        if damage.lines.contains(&line) {
            continue;
        }
        damage.lines.push(line);
        let (message, remedy) = explain(source, &span, message);
        findings.push(Finding {
            source: index,
            absence: false,
            error: source.finding(Severity::Error, &span, message, remedy),
            span,
        });
    }
    damage
}

fn explain(source: &Source, span: &Range<usize>, message: &str) -> (String, String) {
    let text = source.text();
    if message == "duplicate key" {
        let key = text.get(span.clone()).unwrap_or_default();
        let first = first_definition(text, span.start, key).map_or(String::new(), |offset| {
            format!(": first at {}", source.display(offset))
        });
        return (
            format!("`{key}` is defined twice{first}"),
            "remove or rename one of them".into(),
        );
    }
    let cut_short = text[text.floor_char_boundary(span.start)..]
        .trim()
        .is_empty();
    let remedy = match message {
        _ if message.starts_with("string values must be quoted") => {
            "put the value in quotes, as in \"5m\"".into()
        }
        _ if cut_short => "the file ends here: complete it, or wait until it is saved whole".into(),
        _ if message.starts_with("unclosed") => "close it".into(),
        _ if message.contains("string") => {
            "close the string with the quote that opened it, on the same line; write \\\\ for a \
             backslash, or use '…'"
                .into()
        }
        _ if message.starts_with("cannot extend") => {
            "a key has either a value or a table, not both".into()
        }
        _ if message.starts_with("cannot recurse") => "nest the values less deeply".into(),
        _ => RULES.to_owned(),
    };
    (format!("not valid TOML: {message}"), remedy)
}

/// Where a key or header that stands a second time at `offset` stands first. The parser does not
/// say, so lines are compared; for the rare forms that this does not see there is no answer.
fn first_definition(text: &str, offset: usize, key: &str) -> Option<usize> {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    let header = |line: &str| -> Option<String> {
        let line = line.trim_start();
        let close = line.starts_with('[').then(|| line.find(']'))??;
        Some(line[..=close].split_whitespace().collect())
    };
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text[..start].split_inclusive('\n') {
        lines.push((at, line));
        at += line.len();
    }
    let found = if let Some(wanted) = header(&text[start..end]) {
        lines
            .into_iter()
            .find(|(_, line)| header(line).as_ref() == Some(&wanted))
    } else {
        lines
            .into_iter()
            .rev()
            .take_while(|(_, line)| !line.trim_start().starts_with('['))
            .filter(|(_, line)| {
                line.trim_start()
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.trim_start().starts_with('='))
            })
            .last()
    };
    found.map(|(at, line)| at + line.len() - line.trim_start().len())
}
