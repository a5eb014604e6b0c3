//! The manifest as a JSON Schema, made of the tables of keys that the reader has, and of what plugins say of their
//! arguments.
//!
//! It is one of draft 7, which the language servers for TOML know. What a schema cannot say is for `dogpile check`: it
//! refuses nothing that the reader takes, and takes much that this refuses.

mod form;
mod offers;
mod plain;

use serde_json::{Map, Value, json};

use super::tables::TOP;

pub use self::offers::{Offer, OfferKind};
pub use self::plain::plain_schema;

/// The schema of manifests whose plugins offer `offers`. Where there are none of a kind, any name and any arguments of
/// that kind will do.
///
/// ```
/// let schema = dogpile::manifest::schema(&[]);
/// assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
/// let pages = &schema["properties"]["regions"]["additionalProperties"];
/// assert_eq!(pages["$ref"], "#/definitions/region");
/// ```
#[must_use]
pub fn schema(offers: &[Offer<'_>]) -> Value {
    let mut definitions = Map::new();
    let manifest = form::table(&TOP, offers, &mut definitions);
    let mut whole = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Manifest of dogpile",
    });
    let (Value::Object(whole_map), Value::Object(manifest)) = (&mut whole, manifest) else {
        unreachable!("both are made as objects");
    };
    whole_map.extend(manifest);
    whole_map.insert("definitions".to_owned(), definitions.into());
    whole
}
