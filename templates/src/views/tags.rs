//! The tags of a template, each with its tokens and its place.

use super::lexer::{Lexer, Token};

/// One `{% … %}` or `{{ … }}`.
#[derive(Debug)]
pub(crate) struct Tag<'a> {
    source: &'a str,
    /// Whether it is a `{% … %}`.
    pub(crate) is_statement: bool,
    /// The byte of its `{%`; of a `{{`, that of its first token.
    pub(crate) start: usize,
    /// The byte behind its `%}` or `}}`.
    pub(crate) end: usize,
    /// What is between its marks, each with the byte at which it starts, and last its end mark.
    pub(crate) tokens: Vec<(Token<'a>, usize)>,
}

/// All tags of a template; those behind an error of syntax are left out, which the engine reports.
pub(crate) fn tags(source: &str) -> Vec<Tag<'_>> {
    let mut lexer = Lexer::new(source);
    let (mut tags, mut tokens) = (Vec::new(), Vec::new());
    while let Some((token, at)) = lexer.next() {
        let is_last = token == Token::End;
        tokens.push((token, at));
        if !is_last {
            continue;
        }
        let is_statement = tokens[0].0 == Token::TagStart;
        tags.push(Tag {
            source,
            is_statement,
            start: tokens[0].1,
            end: lexer.at(),
            tokens: tokens.split_off(usize::from(is_statement)),
        });
        tokens.clear();
    }
    tags
}

impl<'a> Tag<'a> {
    pub(crate) fn token(&self, index: usize) -> Option<&Token<'a>> {
        self.tokens.get(index).map(|(token, _)| token)
    }

    /// The name that says what a statement is; none of a variable.
    pub(crate) fn keyword(&self) -> Option<&'a str> {
        match self.token(0) {
            Some(Token::Name(name)) if self.is_statement => Some(name),
            _ => None,
        }
    }

    /// Whether white space before it is cut: `{%-`.
    pub(crate) fn trims_before(&self) -> bool {
        self.source[self.start..].starts_with("{%-")
    }

    /// Whether white space behind it is cut: `-%}`.
    pub(crate) fn trims_behind(&self) -> bool {
        self.source[..self.end].ends_with("-%}")
    }

    /// The text from the token at `from` to the one at `to`, without white space around it, and the byte at which it
    /// starts.
    pub(crate) fn text(&self, from: usize, to: usize) -> (&'a str, usize) {
        let (start, end) = (self.tokens[from].1, self.tokens[to].1);
        (self.source[start..end].trim_ascii_end(), start)
    }
}
