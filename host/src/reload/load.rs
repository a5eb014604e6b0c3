//! From the manifest's list of plugins to what they offer.

use std::sync::Arc;
use std::time::Duration;

use super::apply::{refused_at, timeouts};
use crate::assemble::{unresolved, unresolved_templates};
use crate::engine::Engine;
use crate::loader::{self, LoadError, Loader};
use crate::manifest::{Manifest, ManifestError, PluginConfig};
use crate::plugins::{PluginEntry, PluginFile, PluginSet};
use crate::registry::Snapshot;
use crate::trust::Trust;

/// All listed plugins, beside those that are linked in. What is loaded already is not loaded again.
pub(super) fn load(
    engine: &Engine,
    manifest: &Manifest,
    current: &Snapshot,
    errors: &mut Vec<ManifestError>,
) -> PluginSet {
    // Before any of their code runs.
    manifest.withhold_secrets();
    let mut plugins = engine.linked.clone();
    for config in manifest.plugins().values() {
        if plugins.iter().any(|linked| linked.name == config.name) {
            errors.push(manifest.error_at_key(
                &["plugins", &config.name],
                format!(
                    "a plugin named `{}` is linked into the program",
                    config.name
                ),
                "leave it out here, or list the file under another name with `file`",
            ));
            continue;
        }
        match load_one(engine, config, current, timeouts(manifest).open) {
            Ok(entry) => plugins.add(entry),
            Err(error) => errors.push(not_loaded(manifest, config, &error)),
        }
    }
    plugins
}

fn load_one(
    engine: &Engine,
    config: &PluginConfig,
    current: &Snapshot,
    timeout: Duration,
) -> Result<Arc<PluginEntry>, LoadError> {
    let loaded = loader(config, engine.trust)
        .timeout(timeout)
        .load_as(&config.path, &config.name)?;
    engine.images.note(&config.name, loaded.image, loaded.bytes);
    let same = |entry: &&Arc<PluginEntry>| {
        entry.name == config.name
            && entry
                .file
                .as_ref()
                .is_some_and(|file| file.image == loaded.image && file.path == loaded.path)
    };
    if let Some(entry) = current.plugins.iter().find(same) {
        return Ok(Arc::clone(entry));
    }
    Ok(Arc::new(PluginEntry {
        name: config.name.clone(),
        plugin: loaded.plugin,
        info: loaded.info,
        host: loader::host_functions(&config.name, engine.clock),
        file: Some(PluginFile {
            path: loaded.path,
            digest: loaded.digest,
            image: loaded.image,
            api_version: loaded.api_version,
            rustc: loaded.rustc,
        }),
    }))
}

/// What loads a plugin as its configuration and the program say.
pub(super) fn loader(config: &PluginConfig, trust: Option<Trust>) -> Loader {
    let loader = Loader::new().listed().pin(config.sha256.clone());
    match trust {
        Some(trust) => loader.trust(trust),
        None => loader,
    }
}

fn not_loaded(manifest: &Manifest, plugin: &PluginConfig, error: &LoadError) -> ManifestError {
    let message = format!("{}: {}", error.path().display(), error.message());
    let place = ["plugins", &plugin.name, "file"];
    let told = manifest.error_at(&place, message, error.remedy());
    told.with_code(error.kind().code()).of_outside()
}

/// What else is wrong with a manifest that is refused already, as far as it shows without running any code of a
/// plugin that is not loaded.
pub(super) fn more_errors(engine: &Engine, manifest: &Manifest) -> Vec<ManifestError> {
    let current = engine.registry.load_full();
    let mut errors = Vec::new();
    let mut known = engine.linked.clone();
    let mut all_known = manifest.lists_all_plugins();
    for plugin in manifest.plugins().values() {
        match loader(plugin, engine.trust).inspect(&plugin.path) {
            Ok(found) => {
                let is_it = |entry: &&Arc<PluginEntry>| {
                    let digest = entry.file.as_ref().map(|file| &file.digest);
                    entry.name == plugin.name && digest == Some(&found.digest)
                };
                match current.plugins.iter().find(is_it) {
                    Some(entry) => known.add(Arc::clone(entry)),
                    None => all_known = false,
                }
            }
            Err(error) => {
                all_known = false;
                errors.push(not_loaded(manifest, plugin, &error));
            }
        }
    }
    if all_known {
        for (name, region) in manifest.regions() {
            let unresolved = unresolved(region, &known).into_iter();
            let place = ["regions", name];
            errors.extend(unresolved.map(|refused| refused_at(manifest, &place, refused)));
        }
        let templates = manifest.templates();
        let unresolved = templates.and_then(|config| unresolved_templates(config, &known));
        errors.extend(unresolved.map(|refused| refused_at(manifest, &["templates"], refused)));
    }
    errors
}
