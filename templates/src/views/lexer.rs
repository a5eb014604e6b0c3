//! The tokens of a Tera 2 template, as far as it takes to see what the template refers to. It splits a template into
//! text and tags exactly as Tera does; within tags it knows names, strings and single characters.

use super::error::Position;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `{%`.
    TagStart,
    /// `%}` or `}}`.
    End,
    Name(&'a str),
    /// A string, unescaped.
    Text(String),
    /// `...`: what stands behind it is no member.
    Spread,
    /// Any other character of a tag.
    Other(char),
}

/// Reads a template; ends early where Tera would report a syntax error.
pub(crate) struct Lexer<'a> {
    source: &'a str,
    at: usize,
    inside: Option<Inside>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Tag,
    Variable,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            at: 0,
            inside: None,
        }
    }

    /// The next token, with the byte at which it starts.
    pub(crate) fn next(&mut self) -> Option<(Token<'a>, usize)> {
        loop {
            match self.inside {
                None => {
                    if let Some(start) = self.text()? {
                        return Some((Token::TagStart, start));
                    }
                }
                Some(inside) => return self.token(inside),
            }
        }
    }

    /// The byte behind the last token.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Skips text up to the next marker and goes into it. The outer `None`: the end of the template.
    #[expect(
        clippy::option_option,
        reason = "the end, a variable without a token of its own, and a tag are three cases"
    )]
    fn text(&mut self) -> Option<Option<usize>> {
        let rest = self.rest();
        let offset = rest
            .as_bytes()
            .windows(2)
            .position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))?;
        let start = self.at + offset;
        let marker = rest.as_bytes()[offset + 1];
        self.at = start + 2;
        if self.rest().starts_with('-') {
            self.at += 1;
        }
        match marker {
            b'#' => {
                self.at += self.rest().find("#}")? + 2;
                Some(None)
            }
            b'{' => {
                self.inside = Some(Inside::Variable);
                Some(None)
            }
            _ => {
                if let Some(length) = bare_tag(self.rest(), "raw") {
                    self.at += length;
                    self.skip_raw()?;
                    return Some(None);
                }
                self.inside = Some(Inside::Tag);
                Some(Some(start))
            }
        }
    }

    fn skip_raw(&mut self) -> Option<()> {
        loop {
            self.at += self.rest().find("{%")? + 2;
            if let Some(length) = bare_tag(self.rest(), "endraw") {
                self.at += length;
                return Some(());
            }
        }
    }

    fn token(&mut self, inside: Inside) -> Option<(Token<'a>, usize)> {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        self.at += rest.len() - trimmed.len();
        let start = self.at;
        let end = if inside == Inside::Tag { "%}" } else { "}}" };
        let closed = trimmed
            .strip_prefix('-')
            .and_then(|rest| rest.strip_prefix(end))
            .or_else(|| trimmed.strip_prefix(end));
        if let Some(after) = closed {
            self.at += trimmed.len() - after.len();
            self.inside = None;
            return Some((Token::End, start));
        }
        let first = trimmed.chars().next()?;
        if matches!(first, '"' | '\'' | '`') {
            return Some((Token::Text(self.string(first)?), start));
        }
        let name = trimmed
            .find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
            .unwrap_or(trimmed.len());
        if name > 0 && !first.is_ascii_digit() {
            self.at += name;
            return Some((Token::Name(&trimmed[..name]), start));
        }
        if trimmed.starts_with("...") {
            self.at += 3;
            return Some((Token::Spread, start));
        }
        self.at += first.len_utf8();
        Some((Token::Other(first), start))
    }

    fn string(&mut self, quote: char) -> Option<String> {
        let body = &self.rest()[1..];
        let mut text = String::new();
        let mut characters = body.char_indices();
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                self.at += 1 + offset + 1;
                return Some(text);
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            match characters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                other => text.push(other),
            }
        }
        None
    }
}

/// The length of the rest of a tag that consists of `name` alone, after its `{%` or `{%-`.
fn bare_tag(rest: &str, name: &str) -> Option<usize> {
    let white = |c: char| c.is_ascii_whitespace();
    let inner = rest.strip_prefix('-').unwrap_or(rest);
    let after = inner
        .trim_start_matches(white)
        .strip_prefix(name)?
        .trim_start_matches(white);
    let after = after.strip_prefix('-').unwrap_or(after);
    Some(rest.len() - after.strip_prefix("%}")?.len())
}

/// The line and column of a byte of `source`.
pub(crate) fn position(source: &str, byte: usize) -> Position {
    let before = &source[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
