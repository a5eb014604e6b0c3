//! What cargo-deny would check of licences and versions, without it and without a network.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use toml::Table;

use crate::steps::Outcome;
use crate::workspace::{Workspace, list};
use crate::{licence, run};

/// Checks every crate that the lock file names for our targets against deny.toml.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let path = workspace.root.join("deny.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let rules = Rules::parse(&text).with_context(|| path.display().to_string())?;

    let mut cargo = run::cargo(&workspace.root);
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    for target in &rules.targets {
        cargo.args(["--filter-platform", target]);
    }
    let metadata: Value = serde_json::from_slice(&run::output(&mut cargo)?)?;
    let packages: Vec<Package> = list(&metadata["packages"]).map(Package::read).collect();

    let problems = problems(&rules, &packages);
    if !problems.is_empty() {
        bail!(
            "{} of deny.toml's rules are broken:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
    eprintln!(
        "{} crates: licences allowed, the client's crates there once",
        packages.len()
    );
    Ok(Outcome::Done)
}

/// The part of deny.toml that is checked here. Names and meaning are cargo-deny's.
struct Rules {
    targets: Vec<String>,
    allowed: BTreeSet<String>,
    /// Licences allowed for one crate only.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    /// Crates of which there must be one version.
    single: BTreeSet<String>,
    /// Versions that do not count for that, as `name@version`.
    skipped: BTreeSet<String>,
}

struct Package {
    name: String,
    version: String,
    licence: Option<String>,
}

impl Package {
    fn read(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().map(String::from);
        let [name, version] = ["name", "version"].map(|key| text(key).unwrap_or_default());
        Self {
            name,
            version,
            licence: text("license"),
        }
    }
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let section = |name: &str| {
            let section = table.get(name).and_then(toml::Value::as_table);
            section.with_context(|| format!("there is no table [{name}]"))
        };
        let (licenses, bans) = (section("licenses")?, section("bans")?);
        let exceptions = tables(licenses, "exceptions")
            .map(|entry| Ok((crate_name(entry)?, strings(entry, "allow"))))
            .collect::<Result<_>>()?;
        let is_single = |entry: &&Table| {
            entry.get("deny-multiple-versions") == Some(&toml::Value::Boolean(true))
        };
        Ok(Self {
            targets: strings(section("graph")?, "targets").into_iter().collect(),
            allowed: strings(licenses, "allow"),
            exceptions,
            single: tables(bans, "deny")
                .filter(is_single)
                .map(crate_name)
                .collect::<Result<_>>()?,
            skipped: tables(bans, "skip")
                .map(crate_name)
                .collect::<Result<_>>()?,
        })
    }
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let values = table
        .get(key)
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    values.filter_map(toml::Value::as_table)
}

fn strings(table: &Table, key: &str) -> BTreeSet<String> {
    let values = table
        .get(key)
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    values
        .filter_map(toml::Value::as_str)
        .map(String::from)
        .collect()
}

fn crate_name(entry: &Table) -> Result<String> {
    let name = entry.get("crate").and_then(toml::Value::as_str);
    name.map(String::from)
        .with_context(|| format!("`crate` is missing in {{ {entry} }}"))
}

fn problems(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Package {
        name,
        version,
        licence,
    } in packages
    {
        let exception = rules.exceptions.get(name);
        let allowed = |licence: &str| {
            rules.allowed.contains(licence) || exception.is_some_and(|own| own.contains(licence))
        };
        match licence
            .as_deref()
            .map(|licence| (licence, licence::permits(licence, &allowed)))
        {
            Some((_, Ok(true))) => {}
            Some((licence, Ok(false))) => {
                problems.push(format!(
                    "{name} {version}: licence `{licence}` is not allowed"
                ));
            }
            Some((licence, Err(error))) => {
                problems.push(format!("{name} {version}: licence `{licence}`: {error}"));
            }
            None => problems.push(format!("{name} {version}: no licence is declared")),
        }
        if !rules.skipped.contains(&format!("{name}@{version}")) {
            versions.entry(name).or_default().push(version);
        }
    }
    for (name, found) in versions {
        if found.len() > 1 && rules.single.contains(name) {
            problems.push(format!(
                "{name} is there in more than one version: {}",
                found.join(", ")
            ));
        }
    }
    let is_there = |name: &str| packages.iter().any(|package| package.name == name);
    for name in rules.exceptions.keys().filter(|name| !is_there(name)) {
        problems.push(format!(
            "{name} has a licence exception but is not there: remove it"
        ));
    }
    for skipped in &rules.skipped {
        if !packages
            .iter()
            .any(|found| format!("{}@{}", found.name, found.version) == *skipped)
        {
            problems.push(format!("{skipped} is skipped but is not there: remove it"));
        }
    }
    problems
}

#[cfg(test)]
#[path = "dependencies_tests.rs"]
mod tests;
