//! Schemas of arguments as plugins tell them, made plain: without references, and without the null that TOML lacks.

use serde_json::{Map, Value, json};

use super::form::{INTERPOLATION, described};

/// The schema of arguments, of draft 7 as of later ones: what it refers to stands in its place, `null` for "not given" is
/// left out, and alternatives of constant words are one list of them. What leads to itself takes anything at that place.
#[must_use]
pub fn plain_schema(schema: &Value) -> Value {
    let plain = Plain {
        root: schema,
        interpolates: false,
    };
    plain.schema(schema, &mut Vec::new())
}

/// The same, as it is in a manifest: a string with an interpolation stands for anything but a table or an array.
pub(super) fn manifest_schema(schema: &Value) -> Value {
    let plain = Plain {
        root: schema,
        interpolates: true,
    };
    plain.schema(schema, &mut Vec::new())
}

/// Takes a string with an interpolation too.
pub(super) fn interpolated(schema: Value) -> Value {
    let is_string = |name: &Value| name == "string";
    let plain = schema["enum"].is_null() && schema["const"].is_null() && schema["anyOf"].is_null();
    let (takes_strings, takes_all) = match &schema["type"] {
        Value::Array(names) => (names.iter().any(is_string), false),
        Value::Null => (false, plain),
        name => (is_string(name), false),
    };
    let is_bound = !schema["pattern"].is_null() || !schema["minLength"].is_null();
    if takes_all || (plain && takes_strings && !is_bound) {
        return schema;
    }
    let container = |name: &str| schema["type"] == name;
    if container("object") || container("array") {
        return schema;
    }
    if plain && !takes_strings {
        let mut schema = schema;
        let name = schema["type"].take();
        schema["type"] = match name {
            Value::Array(mut names) => {
                names.push("string".into());
                names.into()
            }
            name => json!([name, "string"]),
        };
        schema["pattern"] = INTERPOLATION.into();
        return schema;
    }
    let other = json!({ "type": "string", "pattern": INTERPOLATION });
    let mut schema = schema;
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        if !alternatives
            .iter()
            .any(|one| one["pattern"] == INTERPOLATION)
        {
            alternatives.push(other);
        }
        return schema;
    }
    let words = ["title", "description", "default"].map(|word| (word, schema[word].take()));
    let mut bare = schema;
    if let Some(bare) = bare.as_object_mut() {
        bare.retain(|_, value| !value.is_null());
    }
    let mut either = json!({ "anyOf": [bare, other] });
    for (word, value) in words {
        if !value.is_null() {
            either[word] = value;
        }
    }
    either
}

struct Plain<'s> {
    root: &'s Value,
    interpolates: bool,
}

impl<'s> Plain<'s> {
    fn schema(&self, schema: &'s Value, within: &mut Vec<&'s str>) -> Value {
        let Some(map) = schema.as_object() else {
            return match schema {
                Value::Bool(false) => json!({ "not": {} }),
                _ => json!({}),
            };
        };
        if let Some(reference) = schema["$ref"].as_str() {
            return self.referred(map, reference, within);
        }
        let mut made = Map::new();
        for (key, value) in map {
            match key.as_str() {
                "$schema" | "$defs" | "definitions" | "format" | "title" => {}
                "properties" | "patternProperties" => {
                    let of = value.as_object().into_iter().flatten();
                    let of = of.map(|(name, of)| (name.clone(), self.schema(of, within)));
                    made.insert(key.clone(), Value::Object(of.collect()));
                }
                "items" | "additionalProperties" if value.is_object() => {
                    made.insert(key.clone(), self.schema(value, within));
                }
                "prefixItems" => {
                    let items = value.as_array().into_iter().flatten();
                    let items = items.map(|item| self.schema(item, within));
                    made.insert("items".to_owned(), items.collect());
                }
                "anyOf" | "oneOf" | "allOf" => {
                    let several = value.as_array().into_iter().flatten();
                    let several = several.filter(|one| one["type"] != "null");
                    let several: Vec<_> = several.map(|one| self.schema(one, within)).collect();
                    // Words may overlap with an interpolation.
                    let key = if key == "allOf" { "allOf" } else { "anyOf" };
                    made.insert(key.to_owned(), several.into());
                }
                "type" => {
                    made.insert(key.clone(), without_null(value));
                }
                "default" if value.is_null() => {}
                _ => {
                    made.insert(key.clone(), value.clone());
                }
            }
        }
        self.finish(made)
    }

    /// What it refers to, with what is said beside the reference.
    fn referred(
        &self,
        beside: &'s Map<String, Value>,
        reference: &'s str,
        within: &mut Vec<&'s str>,
    ) -> Value {
        let found = reference.strip_prefix('#');
        let found = found.and_then(|pointer| self.root.pointer(pointer));
        let Some(found) = found.filter(|_| !within.contains(&reference)) else {
            return json!({});
        };
        within.push(reference);
        let mut schema = self.schema(found, within);
        within.pop();
        let default = beside.get("default").filter(|value| !value.is_null());
        match beside.get("description").and_then(Value::as_str) {
            Some(doc) => schema = described(schema, doc, default.cloned()),
            None => {
                if let Some(default) = default {
                    schema["default"] = default.clone();
                }
            }
        }
        schema
    }

    fn finish(&self, mut made: Map<String, Value>) -> Value {
        if let Some(Value::Array(several)) = made.get("anyOf") {
            let several = flattened(several);
            made.remove("anyOf");
            match merged(several) {
                mut one if one.len() == 1 => {
                    // What is said outside is closer to the reader's question.
                    let mut only = one.remove(0);
                    if let Some(only) = only.as_object_mut() {
                        only.append(&mut made);
                        made = std::mem::take(only);
                    }
                }
                several => {
                    made.insert("anyOf".to_owned(), several.into());
                }
            }
        }
        let schema = Value::Object(made);
        let schema = if self.interpolates {
            interpolated(schema)
        } else {
            schema
        };
        match (
            schema["description"].as_str().map(str::to_owned),
            schema.get("anyOf"),
        ) {
            (Some(doc), Some(_)) => described(schema, &doc, None),
            _ => schema,
        }
    }
}

/// Alternatives of alternatives are alternatives.
fn flattened(several: &[Value]) -> Vec<Value> {
    let nested = |one: &Value| match &one["anyOf"] {
        Value::Array(nested) => nested.clone(),
        _ => vec![one.clone()],
    };
    several.iter().flat_map(nested).collect()
}

/// Constant words are one list of them; what is there twice is there once.
fn merged(several: Vec<Value>) -> Vec<Value> {
    let mut words = Vec::new();
    let mut others: Vec<Value> = Vec::new();
    for one in several {
        match (&one["const"], &one["enum"]) {
            (Value::String(word), _) => words.push(Value::from(word.clone())),
            (_, Value::Array(several)) => words.extend(several.iter().cloned()),
            _ if others.contains(&one) => {}
            _ => others.push(one),
        }
    }
    if !words.is_empty() {
        others.insert(0, json!({ "enum": words }));
    }
    others
}

fn without_null(names: &Value) -> Value {
    let Value::Array(names) = names else {
        return names.clone();
    };
    let mut names: Vec<_> = names
        .iter()
        .filter(|name| *name != "null")
        .cloned()
        .collect();
    match names.len() {
        1 => names.remove(0),
        _ => names.into(),
    }
}
