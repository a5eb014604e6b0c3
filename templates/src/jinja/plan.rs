use std::collections::{BTreeMap, BTreeSet, HashMap};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment};

use super::call::Call;
use super::scan::{Scan, scan};
use crate::cache::{Digester, Template};

/// How keys name the engine.
pub(super) const ENGINE: &str = "minijinja";

/// Which text a plan is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The whole of a template: with what it extends.
    Page,
    /// The fragments in it: what it extends does not show in them.
    Fragments,
}

/// All that the texts of a template are made of, as its sources were when it was made.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the cache knows it by.
    pub(super) template: Template,
    /// How it is escaped where it does not say otherwise.
    pub(super) escaping: String,
    /// By their names: the template, and all that it refers to.
    sources: BTreeMap<String, String>,
    /// What is referred to, but not there, each with the template that does so.
    missing: BTreeSet<(String, String)>,
    /// Why, and where, it does not show what else its texts are made of.
    pub(super) fault: Option<String>,
    /// By their names; the line of the second one with a name.
    pub(super) fragments: HashMap<String, (Call, Option<usize>)>,
    /// The names that may be macros of templates that it does not refer to.
    pub(super) foreign: BTreeSet<String>,
}

impl Plan {
    pub(super) fn new<'e>(
        env: &Environment<'_>,
        root: &minijinja::Template<'e, 'e>,
        of: Of,
    ) -> Self {
        let mut walk = Walk::default();
        walk.visit(root, of, env.syntax());
        let mut digester = Digester::new(ENGINE);
        digester.item(1, root.name(), &[u8::from(of == Of::Page)]);
        // With how white space is cut.
        digester.item(2, &format!("{:?}", env.syntax()), &[]);
        for (name, source) in &walk.sources {
            digester.item(3, name, &[]);
            digester.item(4, source, &[]);
        }
        for (parent, name) in &walk.missing {
            digester.item(5, parent, &[]);
            digester.item(6, name, &[]);
        }
        Self {
            template: Template::new(ENGINE, root.name(), digester.finish()),
            escaping: escaping(root.new_state().auto_escape()),
            sources: walk.sources,
            missing: walk.missing,
            fault: walk.fault.or(walk.block.filter(|_| of == Of::Fragments)),
            fragments: by_name(scan(root.source(), env.syntax()).fragments),
            foreign: &walk.names - &walk.defined,
        }
    }

    /// Whether it is of this state of its template, whatever the environment has by now.
    pub(super) fn is_of(&self, template: &minijinja::Template<'_, '_>) -> bool {
        let own = self.sources.get(template.name());
        own.is_some_and(|source| source == template.source())
    }

    /// Whether `env` has the same sources.
    pub(super) fn is_current(&self, env: &Environment<'_>) -> bool {
        let mut sources = self.sources.iter();
        let mut missing = self.missing.iter();
        sources.all(|(name, source)| {
            env.get_template(name)
                .is_ok_and(|template| template.source() == source)
        }) && missing.all(|(parent, name)| {
            env.get_template(parent)
                .is_ok_and(|parent| parent.new_state().get_template(name).is_err())
        })
    }

    /// What works, but probably not as it is meant.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let calls = self.fragments.values().map(|(call, _)| call);
        let suspect = calls.filter(|call| call.in_loop && !call.has_key);
        suspect.map(|call| {
            format!(
                "{}:{}: fragment {:?} stands in a loop and has no key: all rows are the same; write cached({:?}, item.id)",
                self.template.name(), call.line, call.name, call.name
            )
        })
    }
}

/// How keys name a way of escaping.
pub(super) fn escaping(mode: &AutoEscape) -> String {
    match mode {
        AutoEscape::None => "none".to_owned(),
        AutoEscape::Html => "html".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What is found on the way from a template to all that it refers to.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<(String, bool)>,
    sources: BTreeMap<String, String>,
    missing: BTreeSet<(String, String)>,
    fault: Option<String>,
    /// Where a macro uses a block, whose content is the page's affair.
    block: Option<String>,
    names: BTreeSet<String>,
    defined: BTreeSet<String>,
}

impl Walk {
    fn visit<'e>(&mut self, root: &minijinja::Template<'e, 'e>, of: Of, syntax: &SyntaxConfig) {
        let mut waiting = vec![(root.clone(), of)];
        while let Some((template, of)) = waiting.pop() {
            let name = template.name();
            if !self.seen.insert((name.to_owned(), of == Of::Page)) {
                continue;
            }
            let found = scan(template.source(), syntax);
            self.sources
                .insert(name.to_owned(), template.source().to_owned());
            self.note_faults(name, &found);
            let parents = found.parents.into_iter().filter(|_| of == Of::Page);
            // By way of the template that refers to it: an environment may join paths.
            let state = template.new_state();
            for reference in found.parts.into_iter().chain(parents) {
                match state.get_template(&reference) {
                    Ok(part) => waiting.push((part, Of::Page)),
                    Err(_) => {
                        self.missing.insert((name.to_owned(), reference));
                    }
                }
            }
            self.names.extend(found.names);
            self.defined.extend(found.defined);
        }
    }

    fn note_faults(&mut self, name: &str, found: &Scan) {
        if let Some((line, why)) = &found.unseen {
            self.fault.get_or_insert_with(|| {
                format!(
                    "{name}:{line}: {why}, so nobody knows what the text is made of: write the name out, or all \
                     names as a list"
                )
            });
        }
        if let Some(line) = found.macro_with_block {
            self.block.get_or_insert_with(|| {
                format!("{name}:{line}: a macro uses `self`, whose blocks are not the same in all pages")
            });
        }
    }
}

/// By their names, with the line of the second one that has the name.
fn by_name(calls: Vec<Call>) -> HashMap<String, (Call, Option<usize>)> {
    let mut named: HashMap<String, (Call, Option<usize>)> = HashMap::new();
    for call in calls {
        match named.get_mut(&call.name) {
            Some((_, second)) => {
                second.get_or_insert(call.line);
            }
            None => {
                named.insert(call.name.clone(), (call, None));
            }
        }
    }
    named
}
