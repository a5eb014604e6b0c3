//! Links of all pages lead somewhere, and each crate that is published has a page of its own.

use std::path::Path;

use dogpile_tests::links::{dead_links, is_elsewhere, links};
use serde_json::Value;

use crate::source::Tree;

/// Its links are those of the archive's folder, where `tests/tests/guides/archive.rs` follows them.
const OF_ARCHIVE: &str = "xtask/archive/README.md";

pub(crate) fn dead(root: &Path, tree: &Tree) -> Vec<String> {
    let pages = tree.documents.iter().filter(|(path, _)| path != OF_ARCHIVE);
    pages
        .flat_map(|(path, _)| dead_links(&root.join(path)))
        .collect()
}

/// Checks what `cargo metadata --no-deps` printed of the crates: a registry shows a crate's README alone, without any of the
/// files beside it.
pub(crate) fn readmes(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let published = packages
        .iter()
        .filter(|package| package["publish"].is_null());
    let mut problems = Vec::new();
    for package in published {
        let [name, manifest] = ["name", "manifest_path"].map(|key| package[key].as_str());
        let (name, manifest) = (name.expect("a name"), manifest.expect("a path"));
        let readme = Path::new(manifest).with_file_name("README.md");
        if package["readme"] != "README.md" {
            problems.push(format!(
                "{name} has no README.md of its own beside its Cargo.toml"
            ));
            continue;
        }
        let text = std::fs::read_to_string(&readme).expect("cargo has seen it");
        if text.lines().next() != Some(&*format!("# {name}")) {
            problems.push(format!("{}: its heading is not {name}", readme.display()));
        }
        let dead = links(&text).into_iter();
        let dead = dead.filter(|(_, link)| !is_elsewhere(link) && !link.starts_with('#'));
        problems.extend(dead.map(|(line, link)| {
            let readme = readme.display();
            format!("{readme}:{line}: {link} leads nowhere outside of the repository")
        }));
    }
    problems
}

mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn told(readme: &Value, text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("there is room");
        fs::write(folder.path().join("README.md"), text).expect("there is room");
        let package = |name: &str, publish: Value| {
            let manifest = folder.path().join("Cargo.toml");
            json!({ "name": name, "publish": publish, "manifest_path": manifest, "readme": readme })
        };
        let packages = [package("one", json!(null)), package("xtask", json!([]))];
        let told = readmes(&json!({ "packages": packages }));
        let folder = format!("{}/", folder.path().display());
        told.iter().map(|told| told.replace(&folder, "")).collect()
    }

    #[test]
    fn a_readme_with_links_to_elsewhere_is_fine() {
        let text = "# one\n[a](https://docs.rs/one) [b](#b)\n";
        assert_eq!(told(&json!("README.md"), text), [""; 0]);
    }

    #[test]
    fn a_readme_that_is_anothers_or_needs_its_repository_is_found() {
        let another = told(&json!("../README.md"), "# all");
        assert_eq!(
            another,
            ["one has no README.md of its own beside its Cargo.toml"]
        );
        let text = "# all\n![a](docs/a.svg)\n";
        let expected = [
            "README.md: its heading is not one",
            "README.md:2: docs/a.svg leads nowhere outside of the repository",
        ];
        assert_eq!(told(&json!("README.md"), text), expected);
    }
}
