use std::collections::{BTreeMap, BTreeSet};

use super::error::{ViewError, ViewErrorKind};
use super::files::{Body, Content, Tracked};
use super::scan::{DataUse, Reference, References};

/// How deep parents and includes may be nested: each level takes stack of the rendering thread.
const MAX_DEPTH: usize = 32;

pub(crate) type Templates = BTreeMap<String, Tracked>;

/// Which templates define a component.
pub(crate) type Providers = BTreeMap<String, BTreeSet<String>>;

/// A template with everything that it can reach.
#[derive(Default)]
pub(crate) struct Closure {
    pub(crate) members: BTreeSet<String>,
    /// Names that are referred to and do not exist.
    pub(crate) missing: BTreeSet<String>,
    pub(crate) data: DataUse,
    pub(crate) query: DataUse,
    /// Of a part: names that may be variables in it, or in what it includes.
    pub(crate) names: BTreeSet<String>,
    /// Why the template cannot be rendered, as far as the references tell.
    pub(crate) fault: Option<ViewError>,
}

pub(crate) fn providers(templates: &Templates) -> Providers {
    let mut providers = Providers::new();
    for (name, references) in templates.iter().filter_map(|(name, tracked)| {
        references(&tracked.content).map(|references| (name, references))
    }) {
        for component in &references.defines {
            let defined_in = providers.entry(component.clone()).or_default();
            defined_in.insert(name.clone());
        }
    }
    providers
}

fn references(content: &Content) -> Option<&References> {
    match &content.body {
        Body::Template { references, .. } => Some(references),
        Body::Data(_) | Body::Bad(_) => None,
    }
}

impl Closure {
    /// Of a part of a template, what that reaches and uses. Whether it can be rendered is told by the whole template's.
    pub(crate) fn of_part(
        references: &References,
        templates: &Templates,
        providers: &Providers,
    ) -> Self {
        let graph = Graph {
            templates,
            providers,
        };
        let mut open = graph.next(references);
        let mut closure = Self {
            members: graph.reach(&mut open),
            names: references.names.clone(),
            ..Self::default()
        };
        closure.data.add(&references.data);
        let named = |references: &References| {
            let names = references.templates.iter().map(|reference| &reference.name);
            let missing = names.filter(|name| !templates.contains_key(*name));
            missing.cloned().collect::<Vec<_>>()
        };
        closure.missing.extend(named(references));
        for references in closure
            .members
            .iter()
            .filter_map(|name| graph.references(name))
        {
            closure.data.add(&references.data);
            closure.names.extend(references.names.iter().cloned());
            closure.missing.extend(named(references));
        }
        closure
    }

    pub(crate) fn of(name: &str, templates: &Templates, providers: &Providers) -> Self {
        let graph = Graph {
            templates,
            providers,
        };
        let mut closure = Self {
            members: graph.reach(&mut vec![name]),
            ..Self::default()
        };
        for member in &closure.members {
            let Some(references) = graph.references(member) else {
                continue;
            };
            closure.data.add(&references.data);
            closure.query.add(&references.query);
            for reference in &references.templates {
                if !templates.contains_key(&reference.name) {
                    closure.missing.insert(reference.name.clone());
                }
                let fault = || graph.fault(member, reference);
                closure.fault = closure.fault.or_else(fault);
            }
        }
        if closure.fault.is_none() {
            closure.fault = graph.too_deep(name);
        }
        closure
    }
}

/// The templates of a site and what leads from one to another.
struct Graph<'a> {
    templates: &'a Templates,
    providers: &'a Providers,
}

impl<'a> Graph<'a> {
    fn references(&self, name: &str) -> Option<&'a References> {
        references(&self.templates.get(name)?.content)
    }

    /// What is open, and all that it reaches by parents, includes and components.
    fn reach<'n>(&self, open: &mut Vec<&'n str>) -> BTreeSet<String>
    where
        'a: 'n,
    {
        let mut reached = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !self.templates.contains_key(name) || !reached.insert(name.to_owned()) {
                continue;
            }
            let Some(references) = self.references(name) else {
                continue;
            };
            open.extend(self.next(references));
        }
        reached
    }

    /// What these lead to.
    fn next<'r>(&self, references: &'r References) -> Vec<&'r str>
    where
        'a: 'r,
    {
        let named = references
            .templates
            .iter()
            .map(|reference| reference.name.as_str());
        let called = references.calls.iter();
        let files = called.filter_map(|component| self.providers.get(component));
        named.chain(files.flatten().map(String::as_str)).collect()
    }

    fn error(&self, member: &str, reference: &Reference, message: &str, remedy: &str) -> ViewError {
        let content = &self.templates[member].content;
        let text = match &content.body {
            Body::Template { text, .. } => text.as_str(),
            Body::Data(_) | Body::Bad(_) => "",
        };
        ViewError::at(
            ViewErrorKind::Template,
            &content.shown,
            text,
            reference.position,
            message,
            remedy,
        )
    }

    /// What is wrong with one reference. Templates that reach themselves by a parent or an include are refused here:
    /// Tera follows either kind, not both mixed, and such a render would never end.
    fn fault(&self, member: &str, reference: &Reference) -> Option<ViewError> {
        let name = &reference.name;
        if !self.templates.contains_key(name) {
            return Some(self.error(
                member,
                reference,
                &format!("there is no template {name:?}"),
                "Names are relative to the folder templates, end in .html and have no hidden parts. Correct the name \
                 or create the file.",
            ));
        }
        self.reach(&mut vec![name.as_str()])
            .contains(member)
            .then(|| {
                let message = format!("{member:?} leads back to itself by {name:?}");
                self.error(member, reference, &message, "Remove one of the references.")
            })
    }

    /// Follows parents and includes level by level. There is no circle when this is called.
    fn too_deep(&self, name: &str) -> Option<ViewError> {
        let mut level = BTreeSet::from([name]);
        for _ in 0..=MAX_DEPTH {
            let references = level.iter().filter_map(|name| self.references(name));
            level = references
                .flat_map(|references| references.templates.iter())
                .map(|reference| reference.name.as_str())
                .collect();
        }
        if level.is_empty() {
            return None;
        }
        let first = self.references(name)?.templates.first()?;
        let message = format!("parents and includes are nested more than {MAX_DEPTH} deep");
        Some(self.error(name, first, &message, "Nest fewer templates."))
    }
}
