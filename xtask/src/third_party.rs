//! The licences of the crates that are in what we ship: their texts must go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;
use crate::workspace::{Workspace, list};

/// How files begin that say under what a crate may be used.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// A crate of somebody else's.
struct Crate {
    title: String,
    licence: String,
    folder: PathBuf,
}

/// All crates that the command and the plugins are made of, and what each says of its licence. A text that several have
/// is there once.
pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let mut cargo = run::cargo(&workspace.root);
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata: Value = serde_json::from_slice(&run::output(&mut cargo)?)?;
    let mut roots = workspace.plugins();
    roots.push("dogpile-cli".to_owned());
    written(&shipped(&metadata, &roots)?)
}

/// The crates of others that the members `roots` are made of, in the order of their names.
fn shipped(metadata: &Value, roots: &[String]) -> Result<Vec<Crate>> {
    let members: BTreeSet<&str> = list(&metadata["workspace_members"])
        .filter_map(Value::as_str)
        .collect();
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let is_root = |id: &&str| {
        let name = packages
            .get(id)
            .and_then(|package| package["name"].as_str());
        name.is_some_and(|name| roots.iter().any(|root| root == name))
    };
    let mut open: Vec<&str> = members.iter().copied().filter(is_root).collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        let node = nodes
            .get(id)
            .with_context(|| format!("cargo resolved no {id}"))?;
        for dependency in list(&node["deps"]).filter(|dependency| is_shipped(dependency)) {
            let Some(id) = dependency["pkg"].as_str() else {
                continue;
            };
            if seen.insert(id) {
                open.push(id);
            }
        }
    }
    let others = seen.difference(&members);
    let mut crates: Vec<Crate> = others
        .map(|id| Crate::read(packages.get(id).context("a crate without a package")?))
        .collect::<Result<_>>()?;
    crates.sort_by(|one, other| one.title.cmp(&other.title));
    Ok(crates)
}

/// Neither for tests alone, nor for building alone.
fn is_shipped(dependency: &Value) -> bool {
    list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
}

impl Crate {
    fn read(package: &Value) -> Result<Self> {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let manifest = PathBuf::from(text("manifest_path"));
        let folder = manifest.parent().context("a manifest without a folder")?;
        let (declared, file) = (text("license"), text("license_file"));
        Ok(Self {
            title: format!("{} {}", text("name"), text("version")),
            licence: if declared.is_empty() { file } else { declared },
            folder: folder.to_owned(),
        })
    }

    /// What its files say of its licence.
    fn texts(&self) -> Result<Vec<String>> {
        let failed = |folder: &Path| format!("cannot read {}", folder.display());
        let entries = fs::read_dir(&self.folder).with_context(|| failed(&self.folder))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_uppercase();
            if path.is_file() && FILES.iter().any(|start| name.starts_with(start)) {
                files.push(path);
            }
        }
        files.sort();
        let texts = files.iter().map(|path| {
            let text = fs::read(path).with_context(|| failed(path))?;
            Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
        });
        texts.collect()
    }
}

fn written(crates: &[Crate]) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut out = "The command and the plugins of dogpile hold these crates, each under the licence beside it.\n\n".to_owned();
    for other in crates {
        writeln!(out, "{}: {}", other.title, other.licence)?;
        for text in other.texts()? {
            texts.entry(text).or_default().push(&other.title);
        }
    }
    for (text, of) in &texts {
        write!(out, "\n{}\n{}\n\n{text}\n", "-".repeat(80), of.join(", "))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(folder: &Path) -> Value {
        let package = |id: &str| {
            let manifest = folder.join(id).join("Cargo.toml");
            json!({"id": id, "name": id, "version": "1.0.0", "license": "MIT", "manifest_path": manifest})
        };
        let dependency = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let names = [
            "ours", "tests", "library", "used", "beneath", "tested", "building",
        ];
        json!({
            "workspace_members": ["ours", "tests", "library"],
            "packages": names.map(package),
            "resolve": {"nodes": [
                {"id": "ours", "deps": [
                    dependency("library", Value::Null),
                    dependency("tested", json!("dev")),
                    dependency("building", json!("build")),
                ]},
                {"id": "library", "deps": [dependency("used", Value::Null)]},
                {"id": "used", "deps": [dependency("beneath", Value::Null), dependency("library", Value::Null)]},
                {"id": "beneath", "deps": []},
                {"id": "tests", "deps": [dependency("tested", Value::Null)]},
            ]},
        })
    }

    #[test]
    fn crates_of_others_in_what_is_shipped_are_told_and_no_others() {
        let crates = shipped(&metadata(Path::new("/")), &["ours".to_owned()]).unwrap();
        let titles: Vec<&str> = crates.iter().map(|one| &*one.title).collect();
        assert_eq!(titles, ["beneath 1.0.0", "used 1.0.0"]);
    }

    #[test]
    fn a_text_that_two_have_is_there_once_and_names_both() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["used", "beneath"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("LICENSE-MIT"), "You may.\n").unwrap();
        }
        fs::write(folder.path().join("used/NOTICE.md"), "Thanks.").unwrap();
        fs::write(folder.path().join("used/lib.rs"), "code").unwrap();
        let crates = shipped(&metadata(folder.path()), &["ours".to_owned()]).unwrap();
        let text = written(&crates).unwrap();
        assert!(
            text.contains("beneath 1.0.0: MIT\nused 1.0.0: MIT\n"),
            "{text}"
        );
        assert!(
            text.contains("\nbeneath 1.0.0, used 1.0.0\n\nYou may.\n"),
            "{text}"
        );
        assert!(text.contains("\nused 1.0.0\n\nThanks.\n"), "{text}");
        assert_eq!(
            (
                text.matches("You may.").count(),
                text.matches("code").count()
            ),
            (1, 0)
        );
    }
}
