//! What a plugin's header says of `abi_stable` is what Cargo builds it with.

use serde_json::Value;

/// Checks what `cargo metadata --no-deps` printed: every crate that depends on `abi_stable` demands `version` exactly.
pub(crate) fn problems(metadata: &Value, version: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let demands: Vec<_> = packages
        .flat_map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            dependencies.map(move |dependency| (text(&package["name"]), dependency))
        })
        .filter(|(_, dependency)| dependency["name"] == "abi_stable")
        .map(|(package, dependency)| (package, text(&dependency["req"])))
        .collect();
    if demands.is_empty() {
        return vec!["no crate depends on abi_stable".to_owned()];
    }
    let wanted = format!("={version}");
    let differing = demands.iter().filter(|(_, demand)| *demand != wanted);
    differing
        .map(|(package, demand)| {
            format!("{package} demands abi_stable {demand}, and headers say {version}")
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(demand: &str) -> Value {
        let dependencies = json!([{ "name": "abi_stable", "req": demand }]);
        json!({ "packages": [{ "name": "a", "dependencies": dependencies }] })
    }

    #[test]
    fn another_version_and_a_range_of_versions_are_found() {
        assert_eq!(problems(&metadata("=0.11.3"), "0.11.3"), [""; 0]);
        for demand in ["=0.11.4", "^0.11.3"] {
            let expected = format!("a demands abi_stable {demand}, and headers say 0.11.3");
            assert_eq!(problems(&metadata(demand), "0.11.3"), [expected]);
        }
        assert_eq!(problems(&json!({}), "0.11.3").len(), 1);
    }
}
