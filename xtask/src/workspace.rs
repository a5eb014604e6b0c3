//! Where things are, as cargo tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

/// The workspace that this task runner belongs to.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Cargo's target directory, absolute: in the tree or anywhere else.
    pub(crate) target: PathBuf,
    /// Where cargo keeps what it makes on the way, absolute; mostly the target directory.
    pub(crate) intermediate: PathBuf,
    metadata: Value,
}

/// The root of this crate's workspace: cargo is asked where it will build, since a relative target directory begins there.
fn here() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// An example of a member.
pub(crate) struct Example {
    pub(crate) name: String,
    /// Features that cargo does not build it without, and does not turn on by itself.
    pub(crate) missing_features: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace of this crate's sources.
    pub(crate) fn find() -> Result<Self> {
        Self::ask(run::cargo(here()))
    }

    /// Asks that cargo.
    pub(crate) fn ask(mut cargo: Command) -> Result<Self> {
        let text = run::output(cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_slice(&text).context("cargo metadata")?;
        let path = |key: &str| {
            let value = metadata[key].as_str();
            value
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata has no `{key}`"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            intermediate: path("build_directory")?,
            metadata,
        })
    }

    /// Names of the members that are plugins: those which build a C dynamic library.
    pub(crate) fn plugins(&self) -> Vec<String> {
        let is_cdylib = |target: &Value| words(&target["crate_types"]).any(|kind| kind == "cdylib");
        self.packages()
            .filter(|package| list(&package["targets"]).any(is_cdylib))
            .filter_map(|package| package["name"].as_str().map(String::from))
            .collect()
    }

    /// The version of a member.
    pub(crate) fn version(&self, name: &str) -> Result<&str> {
        let package = self.packages().find(|package| package["name"] == name);
        let version = package.and_then(|package| package["version"].as_str());
        version.with_context(|| format!("there is no package `{name}`"))
    }

    /// The members' examples.
    pub(crate) fn examples(&self) -> Vec<Example> {
        let targets = self
            .packages()
            .flat_map(|package| list(&package["targets"]).map(move |target| (package, target)));
        targets
            .filter(|(_, target)| words(&target["kind"]).any(|kind| kind == "example"))
            .map(|(package, target)| Example {
                name: target["name"].as_str().unwrap_or_default().to_owned(),
                missing_features: words(&target["required-features"])
                    .filter(|required| !has_feature(package, required))
                    .map(String::from)
                    .collect(),
            })
            .collect()
    }

    /// Names of a member's integration tests.
    pub(crate) fn tests(&self, package: &str) -> impl Iterator<Item = &str> {
        self.packages()
            .filter(move |found| found["name"] == package)
            .flat_map(|package| list(&package["targets"]))
            .filter(|target| words(&target["kind"]).any(|kind| kind == "test"))
            .filter_map(|target| target["name"].as_str())
    }

    /// The crates of others that cargo would build anything of for this machine, as `cargo metadata` tells of them.
    pub(crate) fn others(&self) -> Result<Vec<Value>> {
        let mut cargo = run::cargo(&self.root);
        cargo.args(["metadata", "--format-version", "1", "--locked"]);
        cargo.args(["--filter-platform", &platform()?]);
        let metadata: Value = serde_json::from_slice(&run::output(&mut cargo)?)?;
        let packages = list(&metadata["packages"]).filter(|package| !package["source"].is_null());
        Ok(packages.cloned().collect())
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        list(&self.metadata["packages"])
    }
}

/// Whether an example of a package has a feature by itself: by default, or as a package that has itself for its tests.
fn has_feature(package: &Value, feature: &str) -> bool {
    let itself = list(&package["dependencies"])
        .filter(|dependency| dependency["name"] == package["name"] && dependency["kind"] == "dev");
    words(&package["features"]["default"])
        .chain(itself.flat_map(|itself| words(&itself["features"])))
        .any(|has| has == feature)
}

/// The platform for which this machine builds.
pub(crate) fn platform() -> Result<String> {
    let told = run::output(Command::new("rustc").arg("-vV"))?;
    let told = String::from_utf8(told)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV tells no host")?.to_owned())
}

/// The file that a plugin crate's library is built to.
pub(crate) fn library(package: &str) -> String {
    format!("lib{}.so", package.replace('-', "_"))
}

/// The elements of a JSON list; none if it is not one.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_target_directory_is_where_cargo_builds() {
        let mut cargo = run::cargo(here());
        cargo.env("CARGO_TARGET_DIR", "elsewhere");
        let workspace = Workspace::ask(cargo).unwrap();
        assert_eq!(workspace.target, workspace.root.join("elsewhere"));
    }

    #[test]
    fn the_plugins_of_the_workspace_are_found_by_their_crate_type() {
        let plugins = Workspace::find().unwrap().plugins();
        assert!(
            plugins.contains(&"dogpile-plugin-memory".to_owned()),
            "{plugins:?}"
        );
        assert!(!plugins.contains(&"dogpile".to_owned()), "{plugins:?}");
    }

    fn missing_features(example: &str) -> Vec<String> {
        let examples = Workspace::find().unwrap().examples();
        let mut examples = examples.into_iter();
        let found = examples.find(|found| found.name == example);
        found.unwrap().missing_features
    }

    #[test]
    fn an_example_of_a_default_feature_is_built_by_itself() {
        assert_eq!(missing_features("axum_tera"), [""; 0]);
    }

    #[test]
    fn an_example_of_a_feature_that_its_package_has_for_its_tests_is_built_by_itself() {
        assert_eq!(missing_features("axum_askama"), [""; 0]);
        assert_eq!(missing_features("minijinja"), [""; 0]);
    }

    #[test]
    fn a_plugins_library_is_named_after_its_crate() {
        assert_eq!(
            library("dogpile-plugin-memory"),
            "libdogpile_plugin_memory.so"
        );
    }
}
