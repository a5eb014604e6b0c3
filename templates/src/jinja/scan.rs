use std::collections::BTreeSet;

use minijinja::syntax::SyntaxConfig;

use super::call::Call;
use super::lexer::{Tag, Token, line, tags};

/// What a template refers to, and the fragments in it, as far as its text shows.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The template that it extends.
    pub(super) parents: Vec<String>,
    /// What it includes and imports.
    pub(super) parts: Vec<String>,
    /// Why, and on which line, it does not show what else it refers to.
    pub(super) unseen: Option<(usize, String)>,
    pub(super) fragments: Vec<Call>,
    /// The line on which `cached` stands in another place than such a call.
    pub(super) stray: Option<usize>,
    /// The line on which a macro uses a block.
    pub(super) macro_with_block: Option<usize>,
    /// All names in tags, and which of them are its own macros and imports.
    pub(super) names: BTreeSet<String>,
    pub(super) defined: BTreeSet<String>,
}

/// What a tag stands in.
enum Within {
    Loop,
    Macro,
    Call,
    /// The body of one of `fragments`.
    Fragment(usize),
}

pub(super) fn scan(source: &str, syntax: &SyntaxConfig) -> Scan {
    let mut scan = Scan::default();
    if syntax.line_statement_prefix().is_some() {
        scan.unseen = Some((1, "its environment has line statements".to_owned()));
    }
    let mut within = Vec::new();
    for tag in tags(source, syntax) {
        scan.tag(&tag, line(source, tag.start), &mut within);
    }
    scan
}

impl Scan {
    fn tag(&mut self, tag: &Tag<'_>, line: usize, within: &mut Vec<Within>) {
        let tokens = &tag.tokens;
        let call = match tag.keyword() {
            Some("call") => Call::read(tokens, line),
            _ => None,
        };
        // What stands behind `call cached`, if that is it.
        let rest = if call.is_some() { 2 } else { 0 };
        self.names(&tokens[rest..], line, within);
        match tag.keyword() {
            Some("extends") => self.refer(tokens, line, true),
            Some("include") => self.refer(tokens, line, false),
            Some("import" | "from") => self.import(tokens, line),
            Some("for") => within.push(Within::Loop),
            Some("macro") => {
                if let Some(Token::Name(name)) = tokens.get(1) {
                    self.defined.insert((*name).to_owned());
                }
                within.push(Within::Macro);
            }
            Some("call") => within.push(match call {
                Some(call) => self.fragment(call, within),
                None => Within::Call,
            }),
            Some("endfor" | "endmacro" | "endcall") => {
                within.pop();
            }
            _ => {}
        }
    }

    fn fragment(&mut self, mut call: Call, within: &[Within]) -> Within {
        call.in_loop = within.iter().any(|one| matches!(one, Within::Loop));
        self.fragments.push(call);
        Within::Fragment(self.fragments.len() - 1)
    }

    /// Notes names, and where a body or macro uses a block, whose content is the page's affair.
    fn names(&mut self, tokens: &[Token<'_>], line: usize, within: &[Within]) {
        let mut before = None;
        for token in tokens {
            if let Token::Name(name) = token
                && before != Some(&Token::Other('.'))
            {
                self.names.insert((*name).to_owned());
                match *name {
                    "self" => self.block(line, within),
                    "cached" => {
                        self.stray.get_or_insert(line);
                    }
                    _ => {}
                }
            }
            before = Some(token);
        }
    }

    fn block(&mut self, line: usize, within: &[Within]) {
        for one in within {
            match one {
                Within::Fragment(index) => {
                    self.fragments[*index].block.get_or_insert(line);
                }
                Within::Macro => {
                    self.macro_with_block.get_or_insert(line);
                }
                Within::Loop | Within::Call => {}
            }
        }
    }

    /// `extends "a"`, `include "a"`, `include ["a", "b"] ignore missing`.
    fn refer(&mut self, tokens: &[Token<'_>], line: usize, is_parent: bool) {
        let end = tokens
            .iter()
            .position(|token| matches!(token, Token::Name("ignore" | "with" | "without")));
        let names = &tokens[1..end.unwrap_or(tokens.len())];
        let is_literal = names.iter().all(|token| {
            matches!(
                token,
                Token::Text(_) | Token::Other('[' | ']' | '(' | ')' | ',')
            )
        });
        if !is_literal {
            self.unseen(tokens, line);
        }
        let list = if is_parent {
            &mut self.parents
        } else {
            &mut self.parts
        };
        list.extend(texts(names));
    }

    /// `import "a" as b`, `from "a" import b, c as d`.
    fn import(&mut self, tokens: &[Token<'_>], line: usize) {
        match tokens {
            [
                _,
                Token::Text(name),
                Token::Name("as" | "import"),
                rest @ ..,
            ] => {
                self.parts.push((*name).to_owned());
                let names = rest.iter().filter_map(|token| match token {
                    Token::Name(name) => Some((*name).to_owned()),
                    _ => None,
                });
                self.defined.extend(names);
            }
            _ => self.unseen(tokens, line),
        }
    }

    fn unseen(&mut self, tokens: &[Token<'_>], line: usize) {
        let Some(Token::Name(keyword)) = tokens.first() else {
            return;
        };
        let why = format!("`{keyword}` names its template by an expression");
        self.unseen.get_or_insert((line, why));
    }
}

fn texts<'t>(tokens: &'t [Token<'_>]) -> impl Iterator<Item = String> + use<'t> {
    tokens.iter().filter_map(|token| match token {
        Token::Text(name) => Some((*name).to_owned()),
        _ => None,
    })
}
