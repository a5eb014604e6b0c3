//! The crates of the workspace depend on those below them only.

use serde_json::Value;

const PLUGIN: &str = "dogpile-plugin-";
const API: &str = "dogpile-plugin-api";
const NET: &str = "dogpile-net";

/// What a member of the workspace may depend on among the members.
struct Rule {
    always: &'static [&'static str],
    /// Whether plugins may be linked: into what is shipped, or only into its tests and examples.
    plugins: Plugins,
}

#[derive(PartialEq)]
enum Plugins {
    Never,
    ForTests,
    Always,
}

fn rule(package: &str) -> Option<Rule> {
    let (always, plugins): (&[&str], Plugins) = match package {
        API | "dogpile-lock" | "dogpile-macros" | "dogpile-templates-derive" | "xtask" => {
            (&[], Plugins::Never)
        }
        "dogpile" => (&[API, "dogpile-lock", "dogpile-macros"], Plugins::ForTests),
        "dogpile-templates" => (
            // Itself, with all its features, in its tests.
            &[
                API,
                "dogpile",
                "dogpile-templates",
                "dogpile-templates-derive",
            ],
            Plugins::ForTests,
        ),
        "dogpile-cli" => (&[API, "dogpile", "dogpile-templates"], Plugins::Always),
        "dogpile-tests" => {
            let all = &[
                API,
                "dogpile-lock",
                "dogpile",
                "dogpile-templates",
                "dogpile-cli",
            ];
            (all, Plugins::Always)
        }
        NET => (&[API], Plugins::Never),
        // The tests of a proxy need a backend.
        plugin if plugin.starts_with(PLUGIN) => (&[API, NET], Plugins::ForTests),
        _ => return None,
    };
    Some(Rule { always, plugins })
}

/// Checks what `cargo metadata --no-deps` printed.
pub(crate) fn problems(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let names: Vec<_> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut problems = Vec::new();
    for (name, package) in names.iter().zip(packages) {
        let Some(rule) = rule(name) else {
            problems.push(format!(
                "{name}: a new crate must be given its place in this test"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let is_plugin = on.starts_with(PLUGIN) && on != API;
            let allowed = match &rule.plugins {
                _ if rule.always.contains(&on) => true,
                // With other features, for its own tests.
                _ if on == *name => dependency["kind"] == "dev",
                Plugins::Always => is_plugin,
                Plugins::ForTests => is_plugin && dependency["kind"] == "dev",
                Plugins::Never => false,
            };
            if names.contains(&on) && !allowed {
                problems.push(format!(
                    "{name} depends on {on}: against the order of crates"
                ));
            }
        }
    }
    problems
}

mod tests {
    use serde_json::json;

    use super::*;

    fn found(name: &str, on: &str, kind: Option<&str>) -> Vec<String> {
        let dependency = json!({ "name": on, "kind": kind });
        problems(&json!({ "packages": [
            { "name": name, "dependencies": [dependency, { "name": "serde", "kind": null }] },
            { "name": "dogpile-plugin-null", "dependencies": [] },
            { "name": API, "dependencies": [] },
            { "name": NET, "dependencies": [] },
            { "name": "dogpile-lock", "dependencies": [] },
            { "name": "dogpile-cli", "dependencies": [] },
            { "name": "dogpile", "dependencies": [] },
        ] }))
    }

    #[test]
    fn dependencies_on_crates_below_are_fine() {
        for (name, on, kind) in [
            ("dogpile-plugin-memory", API, None),
            ("dogpile-plugin-redis", NET, None),
            (NET, API, None),
            ("dogpile-plugin-proxies", "dogpile-plugin-null", Some("dev")),
            ("dogpile-templates", "dogpile", None),
            ("dogpile-templates", "dogpile-plugin-null", Some("dev")),
            ("dogpile-cli", "dogpile-cli", Some("dev")),
            ("dogpile-tests", "dogpile-plugin-null", None),
        ] {
            assert_eq!(
                found(name, on, kind),
                Vec::<String>::new(),
                "{name} -> {on}"
            );
        }
    }

    #[test]
    fn a_dependency_on_a_crate_above_or_beside_is_found() {
        for (name, on, kind) in [
            ("dogpile-plugin-memory", "dogpile", None),
            (NET, "dogpile-plugin-null", Some("dev")),
            ("dogpile", NET, None),
            ("dogpile-plugin-memory", "dogpile", Some("dev")),
            ("dogpile-plugin-memory", "dogpile-plugin-null", None),
            ("dogpile-templates", "dogpile-plugin-null", None),
            ("dogpile-templates", "dogpile-cli", Some("dev")),
            ("dogpile-macros", "dogpile", None),
        ] {
            let expected = format!("{name} depends on {on}: against the order of crates");
            assert_eq!(found(name, on, kind), [expected]);
        }
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let expected = "dogpile-extra: a new crate must be given its place in this test";
        assert_eq!(found("dogpile-extra", "serde", None), [expected]);
    }
}
