use std::ops::Range;

use crate::views::lexer::Token;
use crate::views::tags::Tag;

/// A variable where it is looked up, with the members that are written behind it: `user.name`, `query["a b"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// The variable, and its members.
    pub(super) path: Vec<String>,
    /// The byte at which it stands.
    pub(super) at: usize,
}

/// A component where it is called, with the names of the arguments that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) component: String,
    pub(super) given: Vec<String>,
}

/// What is open at a place of an expression, by the character that opened it; `<` is a component's call.
struct Open<'a> {
    with: char,
    /// What a list comprehension names, and where it is not known: in what it goes through.
    names: Vec<&'a str>,
    not_in: Range<usize>,
}

const VALUES: [&str; 9] = [
    "true", "True", "false", "False", "none", "None", "null", "loop", "self",
];

const OPERATORS: [&str; 8] = ["and", "or", "not", "is", "in", "if", "else", "for"];

/// The variables that the expressions in a part of a tag look up, and the components that they call.
pub(super) fn expression(tag: &Tag<'_>, tokens: Range<usize>) -> (Vec<Looked>, Vec<Called>) {
    let (mut looked, mut called) = (Vec::new(), Vec::new());
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut index = tokens.start;
    while index < tokens.end {
        let here = index;
        index += 1;
        match tag.token(here) {
            Some(Token::Other('<')) if !is_operand(tag, here, tokens.start) => {
                open.push(opened('<'));
                if tag.token(here + 1) == Some(&Token::Other('/')) {
                    // The end of a component's body.
                    break;
                }
                let (name, behind) = component(tag, here + 1);
                called.push(Called {
                    component: name,
                    given: Vec::new(),
                });
                index = behind;
            }
            Some(Token::Other('>')) if open.last().is_some_and(|open| open.with == '<') => {
                open.pop();
            }
            Some(Token::Other('[')) => open.push(list(tag, here, tokens.end)),
            Some(Token::Other(with @ ('(' | '{'))) => open.push(opened(*with)),
            Some(Token::Other(')' | ']' | '}')) => {
                open.pop();
            }
            Some(Token::Name(name)) if is_variable(tag, here, &open) => {
                let known = open
                    .iter()
                    .any(|open| open.names.contains(name) && !open.not_in.contains(&here));
                if !known {
                    let at = tag.tokens[here].1;
                    let path = path(tag, here);
                    looked.push(Looked { path, at });
                }
            }
            Some(Token::Name(name)) => {
                let is_given = open.last().is_some_and(|open| open.with == '<');
                if let Some(called) = called.last_mut().filter(|_| is_given) {
                    called.given.push((*name).to_owned());
                }
            }
            _ => {}
        }
    }
    (looked, called)
}

fn other(tag: &Tag<'_>, index: usize) -> Option<char> {
    match tag.token(index) {
        Some(Token::Other(character)) => Some(*character),
        _ => None,
    }
}

fn opened(with: char) -> Open<'static> {
    Open {
        with,
        names: Vec::new(),
        not_in: 0..0,
    }
}

/// Whether something ends before `index` that an operator may follow.
fn is_operand(tag: &Tag<'_>, index: usize, start: usize) -> bool {
    let before = index.checked_sub(1).filter(|before| *before >= start);
    match before.and_then(|before| tag.token(before)) {
        Some(Token::Name(name)) => {
            !OPERATORS.contains(name) || other(tag, index.wrapping_sub(2)) == Some('.')
        }
        Some(Token::Text(_)) => true,
        Some(Token::Other(character)) => {
            character.is_ascii_digit() || matches!(character, ')' | ']' | '}')
        }
        _ => false,
    }
}

/// The name of a component at `index`, and what is behind it.
pub(super) fn component(tag: &Tag<'_>, index: usize) -> (String, usize) {
    let mut name = String::new();
    let mut at = index;
    while let Some(Token::Name(part)) = tag.token(at) {
        name.push_str(part);
        at += 1;
        if other(tag, at) != Some('.') {
            break;
        }
        name.push('.');
        at += 1;
    }
    (name, at)
}

/// The list that starts at `index`, with what a comprehension in it names.
fn list<'a>(tag: &Tag<'a>, index: usize, end: usize) -> Open<'a> {
    let mut open = opened('[');
    let mut depth = 0_usize;
    let (mut names_are_here, mut goes_through) = (false, None);
    for at in index + 1..end {
        match tag.token(at) {
            Some(Token::Other('(' | '[' | '{')) => depth += 1,
            Some(Token::Other(')' | ']' | '}')) if depth > 0 => depth -= 1,
            Some(Token::Other(']')) => {
                open.not_in = goes_through.unwrap_or(at)..at;
                break;
            }
            Some(Token::Name("for")) if depth == 0 && goes_through.is_none() => {
                names_are_here = true;
            }
            Some(Token::Name("in")) if depth == 0 && names_are_here => {
                (names_are_here, goes_through) = (false, Some(at + 1));
            }
            Some(Token::Name("if")) if depth == 0 => {
                if let Some(start) = goes_through {
                    open.not_in = start..at;
                    break;
                }
            }
            Some(Token::Name(name)) if names_are_here => open.names.push(name),
            _ => {}
        }
    }
    open
}

/// Whether the name at `index` is looked up: it is no keyword, member, filter, test, function, or argument's name.
fn is_variable(tag: &Tag<'_>, index: usize, open: &[Open<'_>]) -> bool {
    let Some(Token::Name(name)) = tag.token(index) else {
        return false;
    };
    let before = |back: usize| index.checked_sub(back).and_then(|index| tag.token(index));
    let is = |token: Option<&Token<'_>>, character| token == Some(&Token::Other(character));
    let is_member = is(before(1), '.');
    let is_test = before(1) == Some(&Token::Name("is"))
        || before(1) == Some(&Token::Name("not")) && before(2) == Some(&Token::Name("is"));
    let is_argument = open
        .last()
        .is_none_or(|open| matches!(open.with, '(' | '<'))
        && other(tag, index + 1) == Some('=')
        && other(tag, index + 2) != Some('=');
    // The exponent of a number: `1e5`.
    let is_number = matches!(before(1), Some(Token::Other(digit)) if digit.is_ascii_digit())
        && tag.tokens[index - 1].1 + 1 == tag.tokens[index].1;
    !(is_member
        || VALUES.contains(name)
        || OPERATORS.contains(name)
        || name.starts_with("__tera_")
        || is(before(1), '|')
        || is_test
        || is_argument
        || is_number
        || other(tag, index + 1) == Some('('))
}

/// The name at `index` with the members that are written out behind it.
fn path(tag: &Tag<'_>, index: usize) -> Vec<String> {
    let mut path = Vec::new();
    if let Some(Token::Name(name)) = tag.token(index) {
        path.push((*name).to_owned());
    }
    let mut at = index + 1;
    loop {
        if other(tag, at) == Some('?') {
            at += 1;
        }
        match (other(tag, at), tag.token(at + 1), other(tag, at + 2)) {
            (Some('.'), Some(Token::Name(name)), _) => {
                path.push((*name).to_owned());
                at += 2;
            }
            (Some('['), Some(Token::Text(text)), Some(']')) => {
                path.push(text.clone());
                at += 3;
            }
            _ => return path,
        }
    }
}
