//! `check`.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use dogpile::manifest::{KeyManglers, Manifest, ManifestError, RegionConfig};

use crate::outcome::Outcome;
use crate::output;
use crate::probe::{self, Described, Probed, Regions};

/// Find everything that is wrong with a manifest, its plugins and its backends, and change nothing
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Do not open the regions, so nothing is asked of a server
    #[arg(long)]
    no_connect: bool,
}

pub(crate) fn run(path: &Path, options: &Options) -> Result<Outcome> {
    let manifest = Manifest::load(path)?;
    for warning in manifest.warnings() {
        output::say(format_args!("{warning}\n"));
    }
    let plugins = plugins(&manifest)?;
    let errors = if options.no_connect {
        names(&manifest, &plugins)
    } else {
        regions(path, &manifest)?
    };
    refuse(&manifest, errors)?;
    let regions = output::count(manifest.regions().len(), "region");
    let plugins = output::count(plugins.len(), "plugin");
    output::print(format!("ok: {regions}, {plugins}\n"))?;
    Ok(Outcome::Done)
}

fn refuse(manifest: &Manifest, errors: Vec<ManifestError>) -> Result<()> {
    match manifest.refuse(errors) {
        Some(errors) => bail!(errors),
        None => Ok(()),
    }
}

/// Loads every plugin. What is wrong with regions for want of one would be a consequence, so that is not looked for.
fn plugins(manifest: &Manifest) -> Result<Vec<(&str, Described)>> {
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for (name, plugin) in manifest.plugins() {
        match probe::plugin(&plugin.path, name) {
            Probed::Loaded(described) => loaded.push((name.as_str(), described)),
            Probed::Refused { message, remedy } => {
                let message = format!("{}: {message}", plugin.path.display());
                errors.push(manifest.error_at(&["plugins", name, "file"], message, remedy));
            }
        }
    }
    refuse(manifest, errors)?;
    Ok(loaded)
}

/// Opens and pings every region, all in one process; if that dies, each in its own, to find whose fault it is.
fn regions(path: &Path, manifest: &Manifest) -> Result<Vec<ManifestError>> {
    let died = match probe::regions(path, manifest) {
        Ok(Regions::Opened { silent }) => {
            let errors = silent.into_iter().map(|(name, message)| {
                let remedy = "see whether what it connects to is up, or check with --no-connect";
                manifest.error_at(&["regions", &name, "backend"], message, remedy)
            });
            return Ok(errors.collect());
        }
        Ok(Regions::Refused { text }) => bail!(probe::Refusal(text)),
        Err(died) => died,
    };
    let mut errors = Vec::new();
    for (name, region) in manifest.regions() {
        if let Err(died) = probe::region(path, manifest, name) {
            let message = format!("opening `{}` {died}", region.backend);
            let remedy = "replace the plugin's file, or leave the region out";
            errors.push(manifest.error_at(&["regions", name, "backend"], message, remedy));
        }
    }
    if errors.is_empty() {
        bail!("opening the regions {died}, though each alone opens");
    }
    Ok(errors)
}

/// Whether what the regions name is offered.
fn names(manifest: &Manifest, plugins: &[(&str, Described)]) -> Vec<ManifestError> {
    let mut errors = Vec::new();
    for (name, region) in manifest.regions() {
        for (place, what, wanted) in wanted(region) {
            let offering = plugins.iter().filter(|(plugin, described)| {
                wanted.0.is_none_or(|named| named == *plugin) && described.offers(what, wanted.1)
            });
            let offering: Vec<_> = offering
                .map(|(plugin, _)| format!("`{plugin}/{}`", wanted.1))
                .collect();
            let (message, remedy) = match offering.len() {
                1 => continue,
                0 => (
                    format!("no plugin offers the {what} `{}`", wanted.1),
                    "list a plugin that offers it under [plugins]; `dogpile plugins` shows what there is".to_owned(),
                ),
                _ => (
                    format!("several plugins offer the {what} `{}`", wanted.1),
                    format!("say which: {}", offering.join(" or ")),
                ),
            };
            errors.push(manifest.error_at(&["regions", name, place], message, remedy));
        }
    }
    errors
}

/// The key that names it, what it is, and its plugin, if that is said, and name.
type Wanted<'r> = (&'static str, &'static str, (Option<&'r str>, &'r str));

fn wanted(region: &RegionConfig) -> Vec<Wanted<'_>> {
    let backend = (
        region.backend.plugin.as_deref(),
        region.backend.name.as_str(),
    );
    let mut wanted = vec![("backend", "backend", backend)];
    if let KeyManglers::Named(manglers) = &region.key_mangler {
        let named = manglers.iter().map(|mangler| split(&mangler.name));
        wanted.extend(named.map(|named| ("key_mangler", "key mangler", named)));
    }
    let named = region.proxies.iter().map(|proxy| split(&proxy.name));
    wanted.extend(named.map(|named| ("proxies", "proxy", named)));
    wanted
}

fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((plugin, name)) => (Some(plugin), name),
        None => (None, name),
    }
}
