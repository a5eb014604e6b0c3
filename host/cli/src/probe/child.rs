//! What the child does.

use std::error::Error;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use dogpile::loader::{self, LoadError, Loaded, Loader};
use dogpile::manifest::{Manifest, ManifestErrors};
use dogpile::{Clock, Host, Region, Reload};
use serde::Serialize;
use serde_json::Value;

use super::{Described, Probed, Regions, Silent, Warning, What, conformance};
use crate::outcome::Outcome;
use crate::{lost, output};

/// Answers in one line of JSON. The plugin may print before.
pub(crate) fn run(manifest: &Path, what: &What) -> anyhow::Result<Outcome> {
    match what {
        What::Plugin { file, name, sha256 } => {
            answer(&probed(loader(sha256.as_deref()).load_as(file, name)))?;
        }
        What::File { file } => answer(&probed(Loader::new().load(file)))?,
        What::Regions => answer(&regions(manifest)?)?,
        What::Region { name } => answer(&region(manifest, name)?)?,
        What::Conformance { file } => conformance::child(file)?,
    }
    Ok(Outcome::Done)
}

fn answer(answer: &impl Serialize) -> anyhow::Result<()> {
    output::print(format!("\n{}\n", serde_json::to_string(answer)?))
}

/// Of a plugin that the manifest lists.
fn loader(sha256: Option<&str>) -> Loader {
    Loader::new().listed().pin(sha256.map(str::to_owned))
}

fn probed(loaded: Result<Loaded, LoadError>) -> Probed {
    match loaded {
        Ok(loaded) => Probed::Loaded(Described::of_loaded(loaded)),
        Err(error) => Probed::Refused {
            code: Some(error.kind().code().into()),
            message: error.message().to_owned(),
            remedy: error.remedy().to_owned(),
            killed: false,
        },
    }
}

fn regions(path: &Path) -> anyhow::Result<Regions> {
    let (tell, told) = mpsc::channel();
    lost::tell_to(move |what| {
        // Nobody listens any more when the answer is made.
        let _late = tell.send(what);
    });
    let host = match Host::builder().manifest(path).watch(false).build() {
        Ok(host) => host,
        Err(error) => {
            return Ok(Regions::Refused {
                text: error.to_string(),
                errors: one_by_one(&error)?,
            });
        }
    };
    let silent = silent(&host)?;
    let plan = host.status().last_reload.and_then(|last| last.plan);
    let findings = plan.iter().flat_map(Reload::findings);
    let warnings = findings.map(Warning::of).collect::<Result<_, _>>()?;
    let lost = told.try_iter().collect();
    Ok(Regions::Opened {
        silent,
        warnings,
        lost,
    })
}

/// The regions whose backends do not answer. All are pinged at once, so that it takes no longer than the slowest.
fn silent(host: &Host) -> anyhow::Result<Vec<Silent>> {
    let regions = host.status().regions.into_iter();
    let regions: Vec<Region> = regions
        .map(|status| host.region(&status.name))
        .collect::<Result<_, _>>()?;
    let answers: Vec<_> = thread::scope(|scope| {
        let pings: Vec<_> = regions
            .iter()
            .map(|region| {
                let thread = thread::Builder::new().name("dogpile-ping".to_owned());
                thread.spawn_scoped(scope, || region.ping())
            })
            .collect();
        // Without a thread it is pinged here.
        let answers = pings.into_iter().zip(&regions);
        answers
            .map(
                |(ping, region)| match ping.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(panic)) => resume_unwind(panic),
                    Err(_no_thread) => region.ping(),
                },
            )
            .collect()
    });
    let silent = regions.iter().zip(answers).filter_map(|(region, answer)| {
        let (error, region) = (answer.err()?, region.name().to_owned());
        let (code, text) = (error.code(), error.to_string());
        Some(Silent {
            region,
            // The code has a place of its own.
            message: code.map_or(text.clone(), |code| text.replace(&format!(" [{code}]"), "")),
            code: code.map(str::to_owned),
        })
    });
    Ok(silent.collect())
}

/// What is wrong with the manifest.
fn one_by_one(error: &dogpile::Error) -> anyhow::Result<Vec<Value>> {
    let errors = error.source();
    let errors = errors.and_then(|source| source.downcast_ref::<ManifestErrors>());
    let errors = errors.into_iter().flatten().map(serde_json::to_value);
    Ok(errors.collect::<Result<_, _>>()?)
}

/// Opens the backend of one region by whatever plugin offers it. Refusals are not told: that the process lives is the
/// answer.
fn region(path: &Path, name: &str) -> anyhow::Result<()> {
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
