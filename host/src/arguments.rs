//! What an interpolation gave, as the type that an argument has.
//!
//! `${…}` gives text. Where the plugin's JSON Schema names a number or a boolean, alone or as one of several types, a
//! text that is wholly one counts as it; otherwise it stays the text that it is, so that a password of digits does.

use serde_json::{Map, Value};

/// The arguments with every interpolated text as the type that `schema` names. `interpolated` knows them by their path.
pub(crate) fn typed(
    arguments: &Map<String, Value>,
    schema: Option<&Value>,
    interpolated: impl Fn(&[String]) -> bool,
) -> Map<String, Value> {
    let whole = Value::Object(arguments.clone());
    let Some(root) = schema else {
        return arguments.clone();
    };
    let typing = Typing { root, interpolated };
    match typing.value(whole, root, &mut Vec::new()) {
        Value::Object(typed) => typed,
        _ => unreachable!("a table stays one"),
    }
}

struct Typing<'s, F> {
    root: &'s Value,
    interpolated: F,
}

impl<F: Fn(&[String]) -> bool> Typing<'_, F> {
    fn value(&self, value: Value, schema: &Value, path: &mut Vec<String>) -> Value {
        match value {
            Value::Object(table) => {
                let typed = table.into_iter().map(|(key, value)| {
                    let inner = self.find(schema, &|schema| schema["properties"].get(&key));
                    path.push(key.clone());
                    let value = self.value(value, inner.unwrap_or(&Value::Null), path);
                    path.pop();
                    (key, value)
                });
                Value::Object(typed.collect())
            }
            Value::Array(items) => {
                let inner = self.find(schema, &|schema| schema.get("items"));
                let typed = items.into_iter().enumerate().map(|(index, item)| {
                    path.push(index.to_string());
                    let item = self.value(item, inner.unwrap_or(&Value::Null), path);
                    path.pop();
                    item
                });
                Value::Array(typed.collect())
            }
            Value::String(text) if (self.interpolated)(path) => {
                let names = |kind: &str| {
                    let of_type = |schema: &Value| match &schema["type"] {
                        Value::String(name) => name == kind,
                        Value::Array(names) => names.iter().any(|name| name == kind),
                        _ => false,
                    };
                    let found = self.find(schema, &|schema| of_type(schema).then_some(schema));
                    found.is_some()
                };
                scalar(&text, names).unwrap_or(Value::String(text))
            }
            other => other,
        }
    }

    /// What `wanted` finds in the schema, or in one of those that it refers to or is made of.
    fn find<'v>(
        &'v self,
        schema: &'v Value,
        wanted: &dyn Fn(&'v Value) -> Option<&'v Value>,
    ) -> Option<&'v Value> {
        if let Some(found) = wanted(schema) {
            return Some(found);
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.root.pointer(reference.strip_prefix('#')?)?;
            // One that leads to itself is none.
            return (target["$ref"] != schema["$ref"]).then(|| self.find(target, wanted))?;
        }
        let several = ["anyOf", "oneOf", "allOf"].into_iter();
        several
            .filter_map(|several| schema[several].as_array())
            .flatten()
            .find_map(|one| self.find(one, wanted))
    }
}

/// The number or boolean that a text is, as one would write it in the manifest.
fn scalar(text: &str, names: impl Fn(&str) -> bool) -> Option<Value> {
    let whole = text.parse::<i64>().ok();
    // Neither signs nor zeros in front: a code is no number.
    let whole = whole.filter(|number| number.to_string() == text);
    if let Some(number) = whole.filter(|_| names("integer") || names("number")) {
        return Some(number.into());
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if is_number && names("number") {
        return text.parse::<f64>().ok().map(Value::from);
    }
    match text {
        "true" | "false" if names("boolean") => Some((text == "true").into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::typed;

    #[test]
    fn an_interpolated_text_is_of_the_type_that_the_schema_names() {
        let schema = json!({
            "properties": {
                "password": { "type": "string" },
                "max": { "$ref": "#/$defs/Max" },
                "share": { "type": "number" },
                "tls": { "anyOf": [{ "$ref": "#/$defs/Tls" }, { "type": "null" }] },
                "ports": { "type": "array", "items": { "type": "integer" } },
                "any": true,
            },
            "$defs": {
                "Max": { "anyOf": [{ "type": "integer" }, { "const": "unbounded" }] },
                "Tls": { "properties": { "on": { "type": ["boolean", "null"] } } },
            },
        });
        let given = json!({
            "password": "1234", "max": "1000", "share": "0.25", "tls": { "on": "true" },
            "ports": ["1", "x", "007", "99999999999999999999"], "any": "5", "unknown": "5",
        });
        let expected = json!({
            "password": "1234", "max": 1000, "share": 0.25, "tls": { "on": true },
            "ports": [1, "x", "007", "99999999999999999999"], "any": "5", "unknown": "5",
        });
        let given = given.as_object().unwrap();
        let all = typed(given, Some(&schema), |_| true);
        assert_eq!(serde_json::Value::Object(all), expected);
        assert_eq!(&typed(given, Some(&schema), |_| false), given);
        assert_eq!(&typed(given, None, |_| true), given);
        let one = typed(given, Some(&schema), |path| path == ["tls", "on"]);
        assert_eq!(
            (&one["tls"], &one["max"]),
            (&json!({ "on": true }), &json!("1000"))
        );
    }
}
