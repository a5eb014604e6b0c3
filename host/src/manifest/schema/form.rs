//! From the form of a key to the schema of its value.

use serde_json::{Map, Value, json};

use super::offers::{Offer, OfferKind};
use super::plain::interpolated;
use crate::manifest::keys::{Default, Form, Key, Keys};
use crate::manifest::tables::{MANGLER, PROXY};

/// As [`is_name`](crate::manifest::check::is_name) has it.
const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";

/// A string of this form counts as what it will stand for.
pub(super) const INTERPOLATION: &str = r"\$\{";

pub(super) type Definitions = Map<String, Value>;

/// A table with these keys and no others; of one that names what a plugin offers, a reference to its definition.
pub(super) fn table(keys: &Keys, offers: &[Offer<'_>], definitions: &mut Definitions) -> Value {
    let properties: Map<String, Value> = keys
        .known
        .iter()
        .map(|key| (key.name.to_owned(), property(key, offers, definitions)))
        .collect();
    let required = keys.known.iter();
    let required: Vec<_> = required
        .filter(|key| matches!(key.default, Default::Required))
        .map(|key| key.name)
        .collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        table["required"] = required.into();
    }
    match keys.names_an_offer {
        Some((kind, title)) => kind.refine(title, table, offers, definitions),
        None => table,
    }
}

/// A key with its description and its default.
pub(super) fn property(key: &Key, offers: &[Offer<'_>], definitions: &mut Definitions) -> Value {
    let value = form(key.value, offers, definitions);
    let mut doc = key.doc.to_owned();
    let mut default = None;
    match key.default {
        Default::Value(json) => {
            let value: Value = serde_json::from_str(json).expect("a default is JSON");
            default = Some(value);
        }
        Default::Told(words) => doc = format!("{doc} Default: {words}."),
        Default::Required | Default::Nothing => {}
    }
    described(value, &doc, default)
}

/// With a description and a default. Of what has alternatives, each is given them, since editors show those.
pub(super) fn described(mut schema: Value, doc: &str, default: Option<Value>) -> Value {
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        for alternative in alternatives {
            if alternative.get("description").is_none() {
                alternative["description"] = doc.into();
            }
        }
    }
    schema["description"] = doc.into();
    if let Some(default) = default {
        schema["default"] = default;
    }
    schema
}

fn form(form: Form, offers: &[Offer<'_>], definitions: &mut Definitions) -> Value {
    match form {
        Form::Version => json!({ "title": "1", "const": 1 }),
        Form::Text => json!({ "title": "a string", "type": "string" }),
        Form::Path => json!({ "title": "a path", "type": "string", "minLength": 1 }),
        Form::FileName => json!({
            "title": "a file name",
            "type": "string",
            "pattern": format!(r"^[^/]*[^/.][^/]*$|{INTERPOLATION}"),
        }),
        Form::Digest => json!({
            "title": "64 hexadecimal digits",
            "type": "string",
            "pattern": format!("^[0-9a-fA-F]{{64}}$|{INTERPOLATION}"),
        }),
        Form::Patterns => json!({
            "title": "an array of file names and patterns",
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
        }),
        Form::Flag => interpolated(json!({ "title": "true or false", "type": "boolean" })),
        Form::Natural => interpolated(json!({
            "title": "a whole number",
            "type": "integer",
            "minimum": 0,
            "maximum": u32::MAX,
        })),
        Form::Share => interpolated(share()),
        Form::ShareOrOff => json!({
            "title": "a number from 0 to 1, or false",
            "anyOf": [interpolated(share()), { "const": false }],
        }),
        Form::Duration(words) => duration(words),
        Form::Words(words) => {
            let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let mut value = interpolated(json!({ "enum": words }));
            value["title"] = quoted.join(" or ").into();
            value
        }
        Form::Backend => OfferKind::Backend.name(offers),
        Form::Mangler => OfferKind::KeyMangler.name(offers),
        Form::Proxy => OfferKind::Proxy.name(offers),
        Form::TemplateCache => OfferKind::TemplateCache.name(offers),
        Form::KeyManglers => {
            let one = part(&MANGLER, OfferKind::KeyMangler, offers, definitions);
            let mut list = list_of(&one, 1);
            list.push(json!({ "const": false }));
            json!({ "title": "a list of names or tables, or false", "anyOf": list })
        }
        Form::Proxies => {
            let one = part(&PROXY, OfferKind::Proxy, offers, definitions);
            json!({ "title": "a list of names or tables", "anyOf": list_of(&one, 0) })
        }
        // What they hold is said where the plugin is known.
        Form::Arguments => json!({ "title": "a table", "type": "object" }),
        Form::Table(keys) => table(keys, offers, definitions),
        Form::Named(keys) => json!({
            "title": "tables by name",
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": table(keys, offers, definitions),
        }),
    }
}

fn share() -> Value {
    json!({ "title": "a number from 0 to 1", "type": "number", "minimum": 0, "maximum": 1 })
}

/// Seconds, or numbers with units; or one of some words.
fn duration(words: &[&str]) -> Value {
    let mut patterns = vec![r"^\s*([0-9.]+\s*(w|d|h|m|s|ms|us)\s*)+$".to_owned()];
    patterns.extend(words.iter().map(|word| format!("^{word}$")));
    patterns.push(INTERPOLATION.to_owned());
    let words: Vec<_> = words
        .iter()
        .map(|word| format!(", or \"{word}\""))
        .collect();
    json!({
        "title": format!("a duration{}", words.concat()),
        "type": ["number", "string"],
        "minimum": 0,
        "pattern": patterns.join("|"),
    })
}

/// One, or a list of at least `least`.
fn list_of(one: &Value, least: usize) -> Vec<Value> {
    let mut list = json!({ "type": "array", "items": one });
    if least > 0 {
        list["minItems"] = least.into();
    }
    vec![one.clone(), list]
}

/// A name, or a table of a name and arguments.
fn part(
    keys: &Keys,
    kind: OfferKind,
    offers: &[Offer<'_>],
    definitions: &mut Definitions,
) -> Value {
    json!({ "anyOf": [kind.name(offers), table(keys, offers, definitions)] })
}
