use std::ops::Range;

use dogpile::Expiration;
use dogpile_plugin_api::Scalar;

use super::Finding;
use crate::cache::{EXPIRATION, expiration};
use crate::views::lexer::Token;
use crate::views::tags::Tag;

/// The arguments that a cache tag may have.
const KNOWN: [&str; 5] = ["key", "expiration_time", "region", "tags", "when"];

const EXAMPLE: &str = "Write {% cache \"row\", key=item.id, expiration_time=60 %}.";

/// What stands in a cache tag.
#[derive(Debug, Default)]
pub(crate) struct TagArguments<'a> {
    pub(crate) name: String,
    /// Each expression, with the byte at which it starts.
    pub(super) given: Vec<(&'static str, &'a str, usize)>,
}

/// What of a tag can be known without rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Literals {
    pub(crate) region: Option<String>,
    pub(crate) expiration_time: Option<Expiration>,
}

impl<'a> TagArguments<'a> {
    /// Reads the tag. What is wrong is noted, and left out.
    pub(super) fn read(tag: &Tag<'a>, findings: &mut Vec<Finding>) -> Self {
        let mut arguments = Self::default();
        let mut wrong = |at: usize, message: String, remedy: &str| {
            findings.push(Finding::new(at, message, remedy));
        };
        let end = tag.tokens.len() - 1;
        match tag.token(1) {
            Some(Token::Text(name)) if !name.is_empty() => arguments.name.clone_from(name),
            _ => wrong(tag.start, "this cache tag has no name".to_owned(), EXAMPLE),
        }
        let mut at = 2.min(end);
        while at < end {
            let place = tag.tokens[at].1;
            if tag.token(at) != Some(&Token::Other(',')) {
                wrong(
                    place,
                    "here is no comma between two arguments".to_owned(),
                    EXAMPLE,
                );
                return arguments;
            }
            let next = next_argument(tag, at + 1);
            let name = match (tag.token(at + 1), tag.token(at + 2)) {
                (Some(Token::Name(name)), Some(Token::Other('='))) if at + 3 < next => *name,
                // A comma at the end.
                (Some(Token::End), _) => return arguments,
                _ => {
                    let message = "this is no argument of a cache tag".to_owned();
                    wrong(tag.tokens[at + 1].1, message, EXAMPLE);
                    at = next;
                    continue;
                }
            };
            let place = tag.tokens[at + 1].1;
            let (text, start) = tag.text(at + 3, next);
            match KNOWN.into_iter().find(|known| *known == name) {
                Some(name) if arguments.expression(name).is_some() => {
                    wrong(
                        place,
                        format!("`{name}` is given twice"),
                        "Remove one of them.",
                    );
                }
                Some(name) => arguments.given.push((name, text, start)),
                None => wrong(
                    place,
                    format!("a cache tag has no argument `{name}`"),
                    &format!("It has {}.", KNOWN.join(", ")),
                ),
            }
            at = next;
        }
        arguments
    }

    fn expression(&self, name: &str) -> Option<&'a str> {
        let mut given = self.given.iter();
        given
            .find(|(own, ..)| *own == name)
            .map(|(_, text, _)| *text)
    }

    pub(crate) fn has_key(&self) -> bool {
        self.expression("key").is_some()
    }

    /// Whether the key is written as a list, each of whose elements is a part of the key.
    pub(crate) fn key_is_list(&self) -> bool {
        self.expression("key")
            .is_some_and(|key| key.starts_with('[') && key.ends_with(']') && is_one_list(key))
    }

    /// What is written out, with what is wrong about it.
    pub(super) fn literals(&self, findings: &mut Vec<Finding>) -> Literals {
        let mut literals = Literals::default();
        for (name, text, at) in &self.given {
            match *name {
                "region" => literals.region = literal(text),
                "expiration_time" => {
                    let scalar = literal(text).map(Scalar::Text);
                    let number = || text.parse().ok().map(Scalar::Number);
                    let Some(scalar) = scalar.or_else(number) else {
                        continue;
                    };
                    literals.expiration_time = expiration(&scalar);
                    if literals.expiration_time.is_none() {
                        let message = format!("{scalar} is no expiration time");
                        findings.push(Finding::new(*at, message, EXPIRATION));
                    }
                }
                _ => {}
            }
        }
        literals
    }
}

/// Where the key of a cache tag is among its tokens.
pub(crate) fn key_tokens(tag: &Tag<'_>) -> Option<Range<usize>> {
    let mut at = 2;
    while tag.token(at) == Some(&Token::Other(',')) {
        let next = next_argument(tag, at + 1);
        if tag.token(at + 1) == Some(&Token::Name("key")) {
            return Some(at + 3..next);
        }
        at = next;
    }
    None
}

/// The comma behind the argument that starts at `at`, or the end of the tag.
fn next_argument(tag: &Tag<'_>, at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, (token, _)) in tag.tokens.iter().enumerate().skip(at) {
        match token {
            Token::Other('(' | '[' | '{') => depth += 1,
            Token::Other(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Other(',') if depth == 0 => return index,
            _ => {}
        }
    }
    tag.tokens.len() - 1
}

/// Whether the first bracket is closed by the last one, and not before.
fn is_one_list(text: &str) -> bool {
    let (mut depth, mut quote) = (0_usize, None);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            _ => {}
        }
    }
    false
}

/// The text that an expression is, if it is nothing but one without escapes.
fn literal(text: &str) -> Option<String> {
    let quote = text
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(['\\', quote])).then(|| inner.to_owned())
}
