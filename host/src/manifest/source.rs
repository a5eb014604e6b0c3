use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::{Excerpt, ManifestError, Severity};
use crate::secrets::secret_bytes;

/// The longest excerpt in characters; longer lines are cut around the caret.
const EXCERPT: usize = 120;

/// One file of a manifest, kept to show places in it.
pub(super) struct Source {
    path: PathBuf,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
    secret: OnceLock<Vec<bool>>,
}

/// A span of bytes in the n-th source.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) span: Range<usize>,
}

impl Source {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            lines: std::iter::once(0).chain(after_newlines).collect(),
            path,
            text,
            secret: OnceLock::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of an offset, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.boundary(offset);
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// `file:line:col`, for a message that names a second place.
    pub(super) fn display(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.path.display())
    }

    pub(super) fn finding(
        &self,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        remedy: String,
    ) -> ManifestError {
        let excerpt = self.excerpt(span, false);
        self.found(severity, span, message, remedy, excerpt)
    }

    /// The same of a key whose value is not shown.
    pub(super) fn finding_without_value(
        &self,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        remedy: String,
    ) -> ManifestError {
        let excerpt = self.excerpt(span, true);
        self.found(severity, span, message, remedy, excerpt)
    }

    fn found(
        &self,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        remedy: String,
        excerpt: Excerpt,
    ) -> ManifestError {
        let (line, column) = self.position(span.start);
        ManifestError {
            severity,
            code: None,
            file: self.path.clone(),
            line,
            column,
            message,
            remedy,
            excerpt: Some(excerpt),
            outside: false,
        }
    }

    /// The first line of the span with the span's part marked, perhaps without what follows an `=` after it.
    fn excerpt(&self, span: &Range<usize>, hides_value: bool) -> Excerpt {
        let from = self.boundary(span.start);
        let start = self.text[..from].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[from..]
            .find('\n')
            .map_or(self.text.len(), |length| from + length);
        let line = self.text[start..end].trim_end_matches('\r');
        let secret = self.secret.get_or_init(|| secret_bytes(&self.text));
        // A place may be between the two characters of a line's end.
        let line_end = from.max(start + line.len());
        let key_end = self.boundary(span.end).clamp(from, line_end);
        let equals = self.text[key_end..line_end].find('=');
        let hidden = equals
            .filter(|_| hides_value)
            .map(|at| key_end + at + 1 - start);
        let shown: Vec<char> = line
            .char_indices()
            .map(|(at, c)| match c {
                _ if secret[start + at] => '*',
                c if hidden.is_some_and(|from| at >= from) && !"\"' \t[]{}".contains(c) => '*',
                '\t' => '\t',
                c if c.is_control() || is_invisible(c) => '\u{fffd}',
                c => c,
            })
            .collect();
        let column = self.text[start..from].chars().count();
        let marked_end = self.boundary(span.end.min(end)).max(from);
        let length = self.text[from..marked_end]
            .trim_end()
            .chars()
            .count()
            .max(1);
        window(&shown, column, length)
    }

    /// The nearest character boundary at or before an offset, inside the text.
    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

/// What looks like nothing, or like a blank: a key with it is another one. What joins letters and pictures is none.
pub(super) fn is_invisible(c: char) -> bool {
    (c.is_whitespace() && !c.is_ascii())
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn window(shown: &[char], column: usize, length: usize) -> Excerpt {
    if shown.len() <= EXCERPT {
        return Excerpt {
            text: shown.iter().collect(),
            start: column,
            length,
        };
    }
    let first = column.saturating_sub(EXCERPT / 3).min(shown.len());
    let last = (first + EXCERPT).min(shown.len());
    let mut text = String::new();
    let mut start = column - first;
    if first > 0 {
        text.push('…');
        start += 1;
    }
    text.extend(&shown[first..last]);
    if last < shown.len() {
        text.push('…');
    }
    Excerpt {
        text,
        start,
        length: length.min(last.saturating_sub(column).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Severity, Source};

    #[test]
    fn a_long_line_is_cut_around_its_caret() {
        let text = format!("key = \"{}\" x {}", "a".repeat(300), "b".repeat(300));
        let source = Source::new("m.toml".into(), text);
        let error = source.finding(Severity::Error, &(309..310), "what".into(), String::new());
        let shown = error.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[3].chars().position(|c| c == '^');
        assert_eq!(lines[2].chars().position(|c| c == 'x'), caret, "{shown}");
        assert!(lines[2].chars().count() < 130);
        assert_eq!(error.column(), 310);
    }

    #[test]
    fn columns_are_characters_and_offsets_past_the_end_are_the_end() {
        let source = Source::new("m.toml".into(), "ä = ü\n".into());
        assert_eq!(source.position(5), (1, 5));
        assert_eq!(source.position(500), (2, 1));
        let error = source.finding(Severity::Error, &(500..700), "what".into(), String::new());
        assert!(error.to_string().ends_with("2 | \n  | ^"), "{error}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let source = Source::new("m.toml".into(), "a = \"\u{1b}[2J\"".into());
        let error = source.finding(Severity::Error, &(0..1), "what".into(), String::new());
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
