use dogpile::Expiration;
use dogpile_plugin_api::Scalar;

use super::lexer::Token;
use crate::cache::expiration;

/// A `{% call cached("name", …) %}` of a template, as far as its text shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) has_key: bool,
    pub(super) region: Option<String>,
    pub(super) expiration_time: Option<Expiration>,
    pub(super) in_loop: bool,
    /// The line on which its body uses a block of the page.
    pub(super) block: Option<usize>,
}

impl Call {
    /// The call that a `call` tag has, if it is one of `cached` with a name that is written out.
    pub(super) fn read(tokens: &[Token<'_>], line: usize) -> Option<Self> {
        let [
            _,
            Token::Name("cached"),
            Token::Other('('),
            Token::Text(name),
            Token::Other(',' | ')'),
            ..,
        ] = tokens
        else {
            return None;
        };
        let mut call = Self {
            name: (*name).to_owned(),
            line,
            ..Self::default()
        };
        for argument in arguments(&tokens[4..]) {
            match argument {
                [] => {}
                [
                    Token::Name("region"),
                    Token::Other('='),
                    Token::Text(region),
                ] => {
                    call.region = Some((*region).to_owned());
                }
                [Token::Name("expiration_time"), Token::Other('='), time] => {
                    call.expiration_time = literal_time(time);
                }
                [Token::Name(_), Token::Other('='), second, ..] if *second != Token::Other('=') => {
                }
                _ => call.has_key = true,
            }
        }
        Some(call)
    }
}

fn literal_time(token: &Token<'_>) -> Option<Expiration> {
    match token {
        Token::Text(text) => expiration(&Scalar::Text((*text).to_owned())),
        Token::Number(text) => expiration(&Scalar::Number(text.parse().ok()?)),
        Token::Name(_) | Token::Other(_) => None,
    }
}

/// What stands between the commas of a call, up to its end.
fn arguments<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let (mut arguments, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Other('(' | '[' | '{') => depth += 1,
            Token::Other(')') if depth == 0 => {
                arguments.push(&tokens[start..at]);
                break;
            }
            Token::Other(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Other(',') if depth == 0 => {
                arguments.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments
}
