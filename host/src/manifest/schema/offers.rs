//! What plugins offer, in the schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::form::{Definitions, INTERPOLATION, described, property};
use super::plain::{interpolated, manifest_schema};
use crate::manifest::tables::LOCK_ARGUMENTS;

/// Something that a plugin offers, with the JSON Schema of its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The plugin's name in the manifest.
    pub plugin: &'a str,
    /// What it is.
    pub kind: OfferKind,
    /// Its name.
    pub name: &'a str,
    /// The schema of its arguments.
    pub arguments: &'a Value,
}

/// What a plugin can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    /// For `backend` of a region.
    Backend,
    /// For `key_mangler` of a region.
    KeyMangler,
    /// For `proxies` of a region.
    Proxy,
    /// For `plugin` of the templates.
    TemplateCache,
}

/// What a plugin offers under some names.
struct Named<'o, 'a> {
    first: &'o Offer<'a>,
    /// Without the plugin's.
    words: Vec<&'a str>,
    names: Vec<String>,
}

/// As [`offer`](crate::manifest::region::offer) has it.
const NAME: &str = r"^([a-z0-9][a-z0-9_-]{0,63}/)?[^/\s]+$";

impl OfferKind {
    /// The key that names it, and what it is called.
    fn word(self) -> (&'static str, &'static str) {
        match self {
            Self::Backend => ("backend", "backend"),
            Self::KeyMangler => ("mangler", "key mangler"),
            Self::Proxy => ("proxy", "proxy"),
            Self::TemplateCache => ("plugin", "template cache"),
        }
    }

    fn of<'o, 'a>(self, offers: &'o [Offer<'a>]) -> impl Iterator<Item = &'o Offer<'a>> {
        offers.iter().filter(move |offer| offer.kind == self)
    }

    /// Each with the names by which it may be named: its own, if no other has it, and with its plugin's. What a plugin offers
    /// several times with the same arguments is one here.
    fn named<'o, 'a>(self, offers: &'o [Offer<'a>]) -> Vec<Named<'o, 'a>> {
        let mut found: Vec<Named<'_, '_>> = Vec::new();
        for offer in self.of(offers) {
            let is_namesake = |other: &&Offer<'_>| other.name == offer.name;
            let mut names = vec![format!("{}/{}", offer.plugin, offer.name)];
            if self.of(offers).filter(is_namesake).count() == 1 {
                names.insert(0, offer.name.to_owned());
            }
            let is_same = |other: &&mut Named<'_, '_>| {
                other.first.plugin == offer.plugin && other.first.arguments == offer.arguments
            };
            match found.iter_mut().find(is_same) {
                Some(same) => {
                    same.names.append(&mut names);
                    same.words.push(offer.name);
                }
                None => found.push(Named {
                    first: offer,
                    words: vec![offer.name],
                    names,
                }),
            }
        }
        found
    }

    /// A name of one.
    pub(super) fn name(self, offers: &[Offer<'_>]) -> Value {
        let (_, what) = self.word();
        let found = self.named(offers).into_iter();
        let names: Vec<String> = found.flat_map(|one| one.names).collect();
        let mut schema = if names.is_empty() {
            json!({ "type": "string", "pattern": format!("{NAME}|{INTERPOLATION}") })
        } else {
            interpolated(json!({ "enum": names }))
        };
        schema["title"] = format!("the name of a {what}").into();
        schema
    }

    /// The table in which one is named, with the arguments of that one. Of each there is a definition; the table's own is
    /// called `title`.
    ///
    /// Editors show what stands under `arguments` at once, whichever is named; who validates looks at the name.
    pub(super) fn refine(
        self,
        title: &str,
        mut table: Value,
        offers: &[Offer<'_>],
        definitions: &mut Definitions,
    ) -> Value {
        let (key, what) = self.word();
        let mut cases = Vec::new();
        let mut all: BTreeMap<String, Hint> = BTreeMap::new();
        for Named {
            first: offer,
            words,
            names,
        } in self.named(offers)
        {
            let arguments = self.arguments(offer, definitions);
            for (name, property) in arguments["properties"].as_object().into_iter().flatten() {
                let hint = all.entry(name.clone()).or_default();
                hint.add(&words, property);
            }
            let needs_some = arguments["required"]
                .as_array()
                .is_some_and(|some| !some.is_empty());
            let definition = format!("{}.{}.{}", what.replace(' ', "_"), offer.plugin, offer.name);
            let mut then = json!({
                "properties": { "arguments": { "$ref": format!("#/definitions/{definition}") } },
            });
            if needs_some {
                then["required"] = json!(["arguments"]);
            }
            definitions.insert(definition, arguments);
            cases.push(json!({
                "if": { "properties": { key: { "enum": names } }, "required": [key] },
                "then": then,
            }));
        }
        if !all.is_empty() {
            let hints = all.into_iter().map(|(name, hint)| (name, hint.schema()));
            table["properties"]["arguments"]["properties"] = Value::Object(hints.collect());
        }
        if cases.is_empty() {
            definitions.insert(title.to_owned(), table);
        } else {
            let keys = format!("{title}_keys");
            cases.insert(0, json!({ "$ref": format!("#/definitions/{keys}") }));
            definitions.insert(keys, table);
            definitions.insert(title.to_owned(), json!({ "allOf": cases }));
        }
        json!({ "$ref": format!("#/definitions/{title}") })
    }

    /// The schema of an offer's arguments, with those that the host takes itself.
    fn arguments(self, offer: &Offer<'_>, definitions: &mut Definitions) -> Value {
        let mut arguments = manifest_schema(offer.arguments);
        if self == Self::Backend {
            if !arguments["properties"].is_object() {
                arguments["properties"] = json!({});
            }
            for key in LOCK_ARGUMENTS.known {
                arguments["properties"][key.name] = property(key, &[], definitions);
            }
        }
        arguments
    }
}

/// What editors show of an argument, whichever backend has it. It takes anything.
#[derive(Default)]
struct Hint {
    docs: Vec<String>,
    /// Those of which it may be one.
    choices: Vec<Value>,
}

impl Hint {
    /// It is also an argument of these.
    fn add(&mut self, of: &[&str], property: &Value) {
        let doc = property["description"].as_str().unwrap_or_default();
        self.docs.push(format!("`{}`: {doc}", of.join("`, `")));
        let alternatives = property["anyOf"].as_array().into_iter().flatten();
        for one in alternatives.chain([property]) {
            let choices = one["enum"].as_array().into_iter().flatten();
            let new = choices
                .filter(|choice| !self.choices.contains(choice))
                .cloned();
            let new: Vec<_> = new.collect();
            self.choices.extend(new);
        }
    }

    fn schema(self) -> Value {
        let doc = self.docs.join("\n\n");
        // Each alternative is shown as one more.
        if self.choices.len() < 2 {
            return json!({ "description": doc });
        }
        let either = json!({ "anyOf": [{ "enum": self.choices }, {}] });
        described(either, &doc, None)
    }
}
