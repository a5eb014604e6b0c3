use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Called, Looked, component};
use super::scopes::taken;
use crate::views::lexer::Token;
use crate::views::tags::Tag;

/// The components of a page's templates, by their names.
pub(super) struct Components<'a>(BTreeMap<String, Definition<'a>>);

struct Definition<'a> {
    template: &'a str,
    /// What it looks up where it is called: `@user`.
    implicit: Vec<Looked>,
    /// Its other arguments.
    explicit: BTreeSet<String>,
    called: Vec<Called>,
}

impl<'a> Components<'a> {
    pub(super) fn new<'t>(templates: impl Iterator<Item = (&'a str, &'t [Tag<'a>])>) -> Self
    where
        'a: 't,
    {
        let mut components = BTreeMap::new();
        for (template, tags) in templates {
            let is = |tag: &Tag<'_>, keyword| tag.keyword() == Some(keyword);
            for (index, tag) in tags.iter().enumerate() {
                if !is(tag, "component") {
                    continue;
                }
                let body = &tags[index + 1..];
                let end = body.iter().position(|tag| is(tag, "endcomponent"));
                let called = taken(&body[..end.unwrap_or(body.len())]).called.into_iter();
                let (name, _) = component(tag, 1);
                let definition = Definition {
                    template,
                    implicit: implicit(tag).collect(),
                    explicit: explicit(tag),
                    called: called.map(|(called, _)| called).collect(),
                };
                components.insert(name, definition);
            }
        }
        Self(components)
    }

    /// What a call makes be looked up where it stands: by the component, and by those that it calls itself.
    pub(super) fn implicit<'s>(&'s self, called: &'s Called) -> Vec<(&'a str, &'s Looked)> {
        let mut found = Vec::new();
        self.follow(called, &BTreeSet::new(), &mut Vec::new(), &mut found);
        found
    }

    fn follow<'s>(
        &'s self,
        called: &'s Called,
        known: &BTreeSet<String>,
        open: &mut Vec<&'s str>,
        found: &mut Vec<(&'a str, &'s Looked)>,
    ) {
        let Some(definition) = self.0.get(&called.component) else {
            return;
        };
        if open.contains(&&*called.component) {
            return;
        }
        let mut known = known.clone();
        known.extend(called.given.iter().cloned());
        let looked = definition.implicit.iter();
        let looked = looked.filter(|looked| !known.contains(&looked.path[0]));
        found.extend(looked.map(|looked| (definition.template, looked)));
        known.extend(definition.explicit.iter().cloned());
        open.push(&called.component);
        for called in &definition.called {
            self.follow(called, &known, open, found);
        }
        open.pop();
    }
}

fn implicit<'t>(tag: &'t Tag<'_>) -> impl Iterator<Item = Looked> + use<'t> {
    tag.tokens.windows(2).filter_map(|pair| match pair {
        [(Token::Other('@'), _), (Token::Name(name), at)] => Some(Looked {
            path: vec![(*name).to_owned()],
            at: *at,
        }),
        _ => None,
    })
}

/// Names behind a bracket, a comma or the dots of the rest.
fn explicit(tag: &Tag<'_>) -> BTreeSet<String> {
    let names = tag.tokens.windows(2).filter_map(|pair| match pair {
        [
            (Token::Other('(' | ',') | Token::Spread, _),
            (Token::Name(name), _),
        ] => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}
