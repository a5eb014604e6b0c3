//! What a JSON Schema says of arguments, for a reader.

use serde_json::Value;

/// One line for each argument: its name, its type and its default.
pub(crate) fn arguments(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object();
    let lines = properties.into_iter().flatten().map(|(name, property)| {
        let needed = schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|one| one == name));
        let default = match &property["default"] {
            Value::Null if needed => ", required".to_owned(),
            Value::Null => String::new(),
            default => format!(" = {default}"),
        };
        format!("{name}: {}{default}", type_of(property, schema))
    });
    lines.collect()
}

/// The type that a schema describes: `integer or "unbounded"`. Null, for "not given", is left out.
fn type_of(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let path = reference.strip_prefix('#').unwrap_or_default();
        return root
            .pointer(path)
            .map_or("any".to_owned(), |found| type_of(found, root));
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(several) = schema[several].as_array() {
            return join(several.iter().map(|one| type_of(one, root)));
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return join(values.iter().map(Value::to_string));
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => {
            format!("array of {}", type_of(&schema["items"], root))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => join(names.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => "any".to_owned(),
    }
}

fn join(types: impl Iterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for one in types {
        if one != "null" && !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept.join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_argument_has_name_type_and_default() {
        let schema = json!({
            "properties": {
                "url": { "type": "string" },
                "max": { "$ref": "#/$defs/Max", "default": 10 },
                "idle": { "anyOf": [{ "$ref": "#/$defs/Max" }, { "type": "null" }] },
                "size": { "type": ["integer", "string", "null"] },
                "kept": { "oneOf": [{ "const": "objects" }, { "enum": ["bytes", "text"] }] },
                "nodes": { "type": "array", "items": { "type": "string" } },
                "free": true,
            },
            "required": ["url"],
            "$defs": { "Max": { "anyOf": [{ "type": "integer" }, { "const": "unbounded" }] } },
        });
        let mut lines = arguments(&schema);
        lines.sort();
        assert_eq!(
            lines,
            [
                "free: any",
                "idle: integer or \"unbounded\"",
                "kept: \"objects\" or \"bytes\" or \"text\"",
                "max: integer or \"unbounded\" = 10",
                "nodes: array of string",
                "size: integer or string",
                "url: string, required",
            ]
        );
    }
}
