use std::borrow::Cow;
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
    pub(super) escaping: Cow<'static, str>,
    source: String,
    /// The sources of all that it refers to, by their names.
    others: BTreeMap<String, String>,
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
        let own = scan(root.source(), env.syntax());
        let mut walk = Walk::default();
        walk.visit(root, of, env.syntax());
        if let (Of::Fragments, Some(line)) = (of, own.stray) {
            let example = "{% call cached('row', item.id) %}";
            walk.fault.get_or_insert_with(|| {
                format!("line {line} uses `cached` in another way than {example}, so nobody knows its names")
            });
        }
        let mut digester = Digester::new(ENGINE);
        digester.item(1, root.name(), &[u8::from(of == Of::Page)]);
        digester.item(2, root.source(), &[]);
        // With how white space is cut.
        digester.item(3, &format!("{:?}", env.syntax()), &[]);
        walk.others.remove(root.name());
        for (name, source) in &walk.others {
            digester.item(4, name, &[]);
            digester.item(5, source, &[]);
        }
        for (parent, name) in &walk.missing {
            digester.item(6, parent, &[]);
            digester.item(7, name, &[]);
        }
        Self {
            template: Template::new(ENGINE, root.name(), digester.finish()),
            escaping: escaping(root.new_state().auto_escape()),
            source: root.source().to_owned(),
            others: walk.others,
            missing: walk.missing,
            fault: walk.fault.or(walk.block.filter(|_| of == Of::Fragments)),
            fragments: by_name(own.fragments),
            // What its template defines, those that it includes see.
            foreign: &walk.undefined - &own.defined,
        }
    }

    /// Whether it is of this state of its template, and of all that this refers to in `env` now. This is asked on every
    /// hit, and costs a comparison of the sources.
    pub(super) fn is_of(
        &self,
        template: &minijinja::Template<'_, '_>,
        env: &Environment<'_>,
    ) -> bool {
        let mut others = self.others.iter();
        let mut missing = self.missing.iter();
        template.source() == self.source
            && others.all(|(name, source)| {
                let other = env.get_template(name);
                other.is_ok_and(|other| other.source() == source)
            })
            && missing.all(|(parent, name)| {
                let parent = env.get_template(parent);
                parent.is_ok_and(|parent| parent.new_state().get_template(name).is_err())
            })
    }

    /// Whether `env` has the same sources now.
    pub(super) fn is_current(&self, env: &Environment<'_>) -> bool {
        let template = env.get_template(self.template.name());
        template.is_ok_and(|template| self.is_of(&template, env))
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
pub(super) fn escaping(mode: &AutoEscape) -> Cow<'static, str> {
    match mode {
        AutoEscape::None => "none".into(),
        AutoEscape::Html => "html".into(),
        other => format!("{other:?}").into(),
    }
}

/// What is found on the way from a template to all that it refers to.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<(String, bool)>,
    others: BTreeMap<String, String>,
    missing: BTreeSet<(String, String)>,
    fault: Option<String>,
    /// Where a macro uses a block, whose content is the page's affair.
    block: Option<String>,
    /// The names that the templates use and do not define, each by itself.
    undefined: BTreeSet<String>,
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
            self.others
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
            self.undefined.extend(&found.names - &found.defined);
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
                format!(
                    "{name}:{line}: a macro uses `self`, whose blocks are not the same in all pages"
                )
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
