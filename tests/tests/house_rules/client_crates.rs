//! The crates that the project is to be built on are used by what is shipped, not merely listed.

use serde_json::Value;

use crate::source::Tree;

struct Use {
    name: &'static str,
    /// The shipped crate that depends on it.
    by: &'static str,
    /// The folder of that crate; what is not there yet uses nothing.
    folder: &'static str,
    /// The module that calls it.
    caller: &'static str,
}

const fn used(
    name: &'static str,
    by: &'static str,
    folder: &'static str,
    caller: &'static str,
) -> Use {
    Use {
        name,
        by,
        folder,
        caller,
    }
}

const USES: &[Use] = &[
    used("libloading", "dogpile", "host", "host/src/loader"),
    used(
        "abi_stable",
        "dogpile-plugin-api",
        "plugin-api",
        "plugin-api/src/abi",
    ),
    used("toml", "dogpile", "host", "host/src/manifest"),
    used("notify", "dogpile", "host", "host/src/reload"),
    used(
        "parking_lot",
        "dogpile-lock",
        "host/lock",
        "host/lock/src/sync",
    ),
    used("tracing", "dogpile", "host", "host/src/reload"),
    used(
        "redis",
        "dogpile-plugin-redis",
        "plugins/redis",
        "plugins/redis/src",
    ),
    used(
        "memcache",
        "dogpile-plugin-memcached",
        "plugins/memcached",
        "plugins/memcached/src",
    ),
    used(
        "fs2",
        "dogpile-plugin-dbm",
        "plugins/dbm",
        "plugins/dbm/src",
    ),
];

pub(crate) fn problems(tree: &Tree, metadata: &Value) -> Vec<String> {
    USES.iter()
        .filter(|used| tree.module(used.folder).next().is_some())
        .flat_map(|used| {
            let dependency = (!depends(metadata, used))
                .then(|| format!("{} is no dependency of {}", used.name, used.by));
            let call = (!calls(tree, used))
                .then(|| format!("{} is not called in {}", used.name, used.caller));
            dependency.into_iter().chain(call)
        })
        .collect()
}

fn depends(metadata: &Value, used: &Use) -> bool {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == used.by)
        .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
        .any(|dependency| dependency["name"] == used.name && dependency["kind"].is_null())
}

/// Whether a path that starts with the crate's name stands in the caller's code.
fn calls(tree: &Tree, used: &Use) -> bool {
    tree.module(used.caller).any(|source| {
        let tokens = source.tokens();
        let is_path = |at: usize| {
            tokens[at].text == used.name
                && tokens.get(at + 1).is_some_and(|next| next.text == "::")
                && (at == 0 || tokens[at - 1].text != "::")
        };
        (0..tokens.len()).any(is_path)
    })
}

mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::tree;

    /// Metadata in which `dogpile-plugin-dbm` depends on `name`.
    fn metadata(name: &str, kind: Option<&str>) -> Value {
        let dependencies = json!([{ "name": name, "kind": kind }]);
        json!({ "packages": [{ "name": "dogpile-plugin-dbm", "dependencies": dependencies }] })
    }

    #[test]
    fn a_crate_that_is_called_passes_and_one_whose_caller_is_not_there_yet_is_left_alone() {
        let tree = tree(&[("plugins/dbm/src/file.rs", "use fs2::FileExt;")]);
        assert_eq!(
            problems(&tree, &metadata("fs2", None)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_that_is_only_listed_is_found() {
        let not_called = ["fs2 is not called in plugins/dbm/src"];
        for text in [
            "",
            "// use fs2::FileExt;",
            "use other::fs2::A;",
            "let a = \"fs2::A\";",
        ] {
            let tree = tree(&[("plugins/dbm/src/file.rs", text)]);
            assert_eq!(
                problems(&tree, &metadata("fs2", None)),
                not_called,
                "{text}"
            );
        }
    }

    #[test]
    fn a_crate_that_is_no_dependency_of_what_is_shipped_is_found() {
        let tree = tree(&[("plugins/dbm/src/file.rs", "use fs2::FileExt;")]);
        let expected = ["fs2 is no dependency of dogpile-plugin-dbm"];
        for metadata in [
            metadata("fs2", Some("dev")),
            metadata("fs4", None),
            json!({}),
        ] {
            assert_eq!(problems(&tree, &metadata), expected);
        }
    }
}
