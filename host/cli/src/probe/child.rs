//! What the child does.

use std::error::Error;
use std::path::Path;

use anyhow::{Context, Result};
use dogpile::loader::{self, Loader};
use dogpile::manifest::{Manifest, ManifestErrors};
use dogpile::{Clock, Host};
use serde::Serialize;
use serde_json::Value;

use super::{Described, Probed, Regions, What, conformance};
use crate::outcome::Outcome;
use crate::output;

/// Answers in one line of JSON. The plugin may print before.
pub(crate) fn run(manifest: &Path, what: &What) -> Result<Outcome> {
    match what {
        What::Plugin { file, name, sha256 } => answer(&plugin(file, name, sha256.as_deref()))?,
        What::Regions => answer(&regions(manifest)?)?,
        What::Region { name } => answer(&region(manifest, name)?)?,
        What::Conformance => conformance::child()?,
    }
    Ok(Outcome::Done)
}

fn answer(answer: &impl Serialize) -> Result<()> {
    Ok(output::print(format!(
        "\n{}\n",
        serde_json::to_string(answer)?
    ))?)
}

fn loader(sha256: Option<&str>) -> Loader {
    Loader::new().pin(sha256.map(str::to_owned))
}

fn plugin(file: &Path, name: &str, sha256: Option<&str>) -> Probed {
    let loaded = match loader(sha256).load_as(file, name) {
        Ok(loaded) => loaded,
        Err(error) => {
            return Probed::Refused {
                code: Some(error.kind().code().into()),
                message: error.message().to_owned(),
                remedy: error.remedy().to_owned(),
                killed: false,
            };
        }
    };
    Probed::Loaded(Described::of_loaded(loaded))
}

fn regions(path: &Path) -> Result<Regions> {
    let host = match Host::builder().manifest(path).watch(false).build() {
        Ok(host) => host,
        Err(error) => {
            return Ok(Regions::Refused {
                text: error.to_string(),
                errors: one_by_one(&error)?,
            });
        }
    };
    let mut silent = Vec::new();
    for status in host.status().regions {
        if let Err(error) = host.region(&status.name)?.ping() {
            silent.push((status.name, error.to_string()));
        }
    }
    let plan = host.status().last_reload.and_then(|last| last.plan);
    let warnings = plan.map(|plan| plan.warnings).unwrap_or_default();
    Ok(Regions::Opened { silent, warnings })
}

/// What is wrong with the manifest.
fn one_by_one(error: &dogpile::Error) -> Result<Vec<Value>> {
    let errors = error.source();
    let errors = errors.and_then(|source| source.downcast_ref::<ManifestErrors>());
    let errors = errors.into_iter().flatten().map(serde_json::to_value);
    Ok(errors.collect::<Result<_, _>>()?)
}

/// Opens the backend of one region by whatever plugin offers it. Refusals are not told: that the process lives is the
/// answer.
fn region(path: &Path, name: &str) -> Result<()> {
    let manifest = Manifest::load(path)?;
    let region = manifest
        .regions()
        .get(name)
        .context("the manifest has changed")?;
    let clock: &'static Clock = Box::leak(Box::new(Clock::system()));
    let arguments = serde_json::Value::Object(region.arguments.clone()).to_string();
    let timeout = manifest.host().open_timeout.unwrap_or(super::OPENING);
    for (plugin, config) in manifest.plugins() {
        if region
            .backend
            .plugin
            .as_ref()
            .is_some_and(|wanted| wanted != plugin)
        {
            continue;
        }
        let Ok(loaded) = loader(config.sha256.as_deref()).load_as(&config.path, plugin) else {
            continue;
        };
        let host = loader::host_functions(plugin, clock);
        let opened = loader::open_backend(
            &loaded.plugin,
            &region.backend.name,
            &arguments,
            host,
            timeout,
        );
        if let Ok(backend) = opened {
            let _told_elsewhere = backend.ping();
        }
    }
    Ok(())
}
