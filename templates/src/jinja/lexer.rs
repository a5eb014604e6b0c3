//! The tags of a MiniJinja template, as far as it takes to see what the template refers to and where its fragments are.
//! It splits a template into text, comments and tags exactly as MiniJinja does, whose own parser is no stable interface.

use minijinja::syntax::SyntaxConfig;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    /// A string without escapes.
    Text(&'a str),
    Number(&'a str),
    /// Any other character, and the quote of a string with escapes.
    Other(char),
}

/// One tag: a statement, or a variable.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// The byte at which it starts.
    pub(super) start: usize,
    pub(super) is_statement: bool,
    pub(super) tokens: Vec<Token<'a>>,
}

impl<'a> Tag<'a> {
    /// What a statement is called.
    pub(super) fn keyword(&self) -> Option<&'a str> {
        match self.tokens.first() {
            Some(Token::Name(name)) if self.is_statement => Some(name),
            _ => None,
        }
    }
}

/// All tags of `source`; ends early where MiniJinja would report a syntax error.
pub(super) fn tags<'a>(source: &'a str, syntax: &SyntaxConfig) -> Vec<Tag<'a>> {
    let mut lexer = Lexer {
        source,
        at: 0,
        syntax,
    };
    let mut tags = Vec::new();
    while let Some(tag) = lexer.next() {
        tags.extend(tag);
    }
    tags
}

struct Lexer<'a, 's> {
    source: &'a str,
    at: usize,
    syntax: &'s SyntaxConfig,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    Statement,
    Variable,
    Comment,
    LineComment,
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// What comes next; the outer `None`: the end of the template.
    #[expect(
        clippy::option_option,
        reason = "the end, what is skipped, and a tag are three cases"
    )]
    fn next(&mut self) -> Option<Option<Tag<'a>>> {
        let (offset, marker, length) = self.marker()?;
        let start = self.at + offset;
        self.at = start + length;
        if marker == Marker::LineComment {
            self.at += self.rest().find(['\r', '\n']).unwrap_or(self.rest().len());
            return Some(None);
        }
        if self.rest().starts_with(['-', '+']) {
            self.at += 1;
        }
        let end = match marker {
            Marker::Statement => self.syntax.block_delimiters().1,
            Marker::Variable => self.syntax.variable_delimiters().1,
            Marker::Comment | Marker::LineComment => {
                let end = self.syntax.comment_delimiters().1;
                self.at += self.rest().find(end)? + end.len();
                return Some(None);
            }
        };
        if marker == Marker::Statement
            && let Some(length) = bare_tag(self.rest(), "raw", end)
        {
            self.at += length;
            self.skip_raw(end)?;
            return Some(None);
        }
        let tokens = self.tokens(end)?;
        Some(Some(Tag {
            start,
            is_statement: marker == Marker::Statement,
            tokens,
        }))
    }

    /// The next marker: the first in the text, and the longest of those that start there.
    fn marker(&self) -> Option<(usize, Marker, usize)> {
        let known = [
            (self.syntax.block_delimiters().0, Marker::Statement),
            (self.syntax.variable_delimiters().0, Marker::Variable),
            (self.syntax.comment_delimiters().0, Marker::Comment),
            (
                self.syntax.line_comment_prefix().unwrap_or_default(),
                Marker::LineComment,
            ),
        ];
        let found = known.into_iter().filter(|(text, _)| !text.is_empty());
        let found = found.filter_map(|(text, marker)| {
            let offset = self.rest().find(text)?;
            Some((offset, marker, text.len()))
        });
        found.min_by_key(|(offset, _, length)| (*offset, usize::MAX - length))
    }

    fn skip_raw(&mut self, end: &str) -> Option<()> {
        let start = self.syntax.block_delimiters().0;
        loop {
            self.at += self.rest().find(start)? + start.len();
            let rest = self.rest();
            let inner = rest.strip_prefix(['-', '+']).unwrap_or(rest);
            if let Some(length) = bare_tag(inner, "endraw", end) {
                self.at += rest.len() - inner.len() + length;
                return Some(());
            }
        }
    }

    /// The tokens up to the end of the tag, which does not count within brackets.
    fn tokens(&mut self, end: &str) -> Option<Vec<Token<'a>>> {
        let (mut tokens, mut depth) = (Vec::new(), 0_isize);
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
            self.at += rest.len() - trimmed.len();
            let closed = trimmed
                .strip_prefix(['-', '+'])
                .and_then(|rest| rest.strip_prefix(end))
                .or_else(|| trimmed.strip_prefix(end));
            if depth == 0
                && let Some(after) = closed
            {
                self.at += trimmed.len() - after.len();
                return Some(tokens);
            }
            let first = trimmed.chars().next()?;
            let (token, length) = match first {
                '"' | '\'' => string(trimmed, first)?,
                _ if first == '_' || first.is_ascii_alphabetic() => {
                    let length = word(trimmed);
                    (Token::Name(&trimmed[..length]), length)
                }
                _ if first.is_ascii_digit() => {
                    let length = trimmed
                        .find(|c: char| !(c == '.' || c == '_' || c.is_ascii_alphanumeric()))
                        .unwrap_or(trimmed.len());
                    (Token::Number(&trimmed[..length]), length)
                }
                _ => (Token::Other(first), first.len_utf8()),
            };
            match token {
                Token::Other('(' | '[' | '{') => depth += 1,
                Token::Other(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            self.at += length;
            tokens.push(token);
        }
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
        .unwrap_or(text.len())
}

/// The string at the start of `text`, and its length with the quotes.
fn string(text: &str, quote: char) -> Option<(Token<'_>, usize)> {
    let (mut escaped, mut has_escapes) = (false, false);
    for (offset, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => (escaped, has_escapes) = (true, true),
            _ if char::from(byte) == quote => {
                let token = if has_escapes {
                    Token::Other(quote)
                } else {
                    Token::Text(&text[1..offset])
                };
                return Some((token, offset + 1));
            }
            _ => {}
        }
    }
    None
}

/// The length of the rest of a tag that consists of `name` alone.
fn bare_tag(rest: &str, name: &str, end: &str) -> Option<usize> {
    let white = |c: char| c.is_ascii_whitespace();
    let after = rest.trim_start_matches(white).strip_prefix(name)?;
    let after = after.trim_start_matches(white);
    let after = after.strip_prefix(['-', '+']).unwrap_or(after);
    Some(rest.len() - after.strip_prefix(end)?.len())
}

/// The line of a byte of `source`.
pub(super) fn line(source: &str, byte: usize) -> usize {
    source[..byte].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, syntax: &SyntaxConfig) -> Vec<String> {
        let tags = tags(source, syntax).into_iter();
        tags.map(|tag| {
            let tokens = tag.tokens.iter().map(|token| match token {
                Token::Name(text) | Token::Number(text) => (*text).to_owned(),
                Token::Text(text) => format!("{text:?}"),
                Token::Other(character) => character.to_string(),
            });
            tokens.collect::<Vec<_>>().join(" ")
        })
        .collect()
    }

    #[test]
    fn comments_raw_text_and_strings_hide_tags_and_brackets_hide_ends() {
        let source = concat!(
            "{%- a -%}{# {% no %} #}{% raw %}{% no %}{%- endraw -%}{%+ raw +%}{% no %}{% endraw %}",
            "{{ '{% no %}' ~ \"%}}}\" }}{{ {'a': {'b': 1.5}} }}{% b 'x\\'%}' %}{{- c +}}",
        );
        assert_eq!(
            shown(source, &SyntaxConfig::default()),
            [
                "a",
                "\"{% no %}\" ~ \"%}}}\"",
                "{ \"a\" : { \"b\" : 1.5 } }",
                "b '",
                "c",
            ]
        );
    }

    #[test]
    fn delimiters_are_those_of_the_environment() {
        let mut builder = SyntaxConfig::builder();
        builder
            .block_delimiters("<%", "%>")
            .variable_delimiters("<%=", "=%>")
            .comment_delimiters("<#", "#>")
            .line_comment_prefix("//");
        let source = "{% no %}<% a %><%= b =%><# <% no %> #>// <% no %>\n<% c %>";
        assert_eq!(shown(source, &builder.build().unwrap()), ["a", "b", "c"]);
    }

    #[test]
    fn a_template_cut_off_anywhere_is_read_without_a_panic() {
        let source =
            "{%- a 'ä' -%}{{ {'ü': [1, 2]} }}{# ö #}{% raw -%} ß {%- endraw %}{% b \"\\\"\" %}";
        for end in (0..=source.len()).filter(|&end| source.is_char_boundary(end)) {
            tags(&source[..end], &SyntaxConfig::default());
        }
    }
}
