use std::collections::BTreeSet;
use std::ops::Range;

use super::expression::{Called, Looked, expression};
use crate::views::lexer::Token;
use crate::views::tags::Tag;

/// What a run of tags takes from around it.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) looked: Vec<Looked>,
    /// The templates that it includes, or extends, with what they cannot take from around it.
    pub(super) included: Vec<(String, BTreeSet<String>)>,
    /// The components that it calls, likewise.
    pub(super) called: Vec<(Called, BTreeSet<String>)>,
}

struct Open<'a> {
    /// `for`, `if`, `set`, `set_global`.
    kind: &'a str,
    names: Vec<&'a str>,
}

/// Follows some tags, each within what is open there. The bodies of components are left out: they see nothing of what
/// is around them.
pub(super) fn taken(tags: &[Tag<'_>]) -> Taken {
    let mut scopes = Scopes {
        open: vec![Open {
            kind: "",
            names: Vec::new(),
        }],
        taken: Taken::default(),
    };
    let mut tags = tags.iter();
    while let Some(tag) = tags.next() {
        if tag.keyword() == Some("component") {
            tags.find(|tag| tag.keyword() == Some("endcomponent"));
        } else {
            scopes.step(tag);
        }
    }
    scopes.taken
}

struct Scopes<'a> {
    open: Vec<Open<'a>>,
    taken: Taken,
}

impl<'a> Scopes<'a> {
    fn step(&mut self, tag: &Tag<'a>) {
        let end = tag.tokens.len() - 1;
        let name = |index: usize| match tag.token(index) {
            Some(Token::Name(name)) => Some(*name),
            _ => None,
        };
        match tag.keyword() {
            Some("for") => {
                let of = |index: &usize| name(*index) == Some("in");
                let behind = (1..end).find(of).unwrap_or(end);
                self.look(tag, behind..end);
                let names = (1..behind).filter_map(name).collect();
                self.open.push(Open { kind: "for", names });
            }
            Some(keyword @ ("set" | "set_global")) => {
                self.look(tag, 2..end);
                let names = name(1).into_iter().collect();
                if tag.token(2) == Some(&Token::Other('=')) {
                    self.set(keyword, names);
                } else {
                    let kind = keyword;
                    self.open.push(Open { kind, names });
                }
            }
            Some("if") => {
                self.look(tag, 1..end);
                self.open.push(Open {
                    kind: "if",
                    names: Vec::new(),
                });
            }
            // What is written if there is nothing to go through is outside of the loop.
            Some("else") => {
                if let Some(open) = self.open.last_mut().filter(|open| open.kind == "for") {
                    open.names.clear();
                }
            }
            Some("endset") => {
                let open = self.close("set").or_else(|| self.close("set_global"));
                if let Some(open) = open {
                    self.set(open.kind, open.names);
                }
            }
            Some(keyword @ ("endfor" | "endif")) => drop(self.close(&keyword[3..])),
            Some("extends" | "include") => {
                if let Some(Token::Text(name)) = tag.token(1) {
                    let known = self.known();
                    self.taken.included.push((name.clone(), known));
                }
            }
            Some("filter") => {
                // Its first name is no variable; what it is called with may be one.
                self.look(tag, 2.min(end)..end);
            }
            Some("elif") => self.look(tag, 1..end),
            Some("cache") => self.look(tag, 2.min(end)..end),
            Some(_) => {}
            None => self.look(tag, 0..end),
        }
    }

    fn close(&mut self, kind: &str) -> Option<Open<'a>> {
        let is_open = self.open.last().is_some_and(|open| open.kind == kind);
        is_open.then(|| self.open.pop()).flatten()
    }

    /// What is set is known to the end of the innermost loop; by `set_global`, to the end of all.
    fn set(&mut self, keyword: &str, names: Vec<&'a str>) {
        let is_scope = |open: &&mut Open<'_>| {
            open.kind.is_empty() || open.kind == "for" && keyword != "set_global"
        };
        let mut around = self.open.iter_mut().rev();
        if let Some(open) = around.find(is_scope) {
            open.names.extend(names);
        }
    }

    /// What is set here. The name of a block that is still open is not set before its end.
    fn known(&self) -> BTreeSet<String> {
        let open = self
            .open
            .iter()
            .filter(|open| !open.kind.starts_with("set"));
        let names = open.flat_map(|open| open.names.iter());
        names.map(|name| (*name).to_owned()).collect()
    }

    fn look(&mut self, tag: &Tag<'_>, tokens: Range<usize>) {
        let (looked, called) = expression(tag, tokens);
        if looked.is_empty() && called.is_empty() {
            return;
        }
        let known = self.known();
        let looked = looked.into_iter();
        let looked = looked.filter(|looked| !known.contains(&looked.path[0]));
        self.taken.looked.extend(looked);
        let called = called.into_iter().map(|called| (called, known.clone()));
        self.taken.called.extend(called);
    }
}
