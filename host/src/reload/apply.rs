//! From a manifest to the next snapshot.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::outcome::Reload;
use super::plan::{Change, Sketch, plan};
use super::reaper::{discard, retire};
use super::templates::{TemplateCacheChange, template_change};
use crate::ErrorKind;
use crate::assemble::{Assembly, Refusals, Refused, unresolved, unresolved_templates};
use crate::engine::Engine;
use crate::instance::Instance;
use crate::loader::{self, LoadError, Loader};
use crate::manifest::{Manifest, ManifestError, ManifestErrors, PluginConfig};
use crate::plugins::{PluginEntry, PluginFile, PluginSet};
use crate::records::{FirstRead, first_read};
use crate::registry::{Configured, Origin, Slots, Snapshot, Templates, Timeouts};
use crate::slot::Slot;
use crate::trust::Trust;

/// As long as a duration may be in a manifest.
const FOR_EVER: Duration = Duration::from_hours(100 * 366 * 24);

/// Everything loaded, opened and checked aside.
struct Prepared<'e> {
    next: Snapshot,
    first: FirstRead,
    changes: Vec<Change>,
    template_change: Option<TemplateCacheChange>,
    /// Held until it is in force, so that no region is held meanwhile which it leaves out.
    slots: MutexGuard<'e, Slots>,
}

/// Loads, opens and checks everything aside, and replaces the snapshot once; or changes nothing. All errors are
/// found, not the first. The caller holds the host's change lock.
pub(super) fn apply(
    engine: &Engine,
    manifest: &Manifest,
    is_reload: bool,
) -> Result<Reload, ManifestErrors> {
    let current = engine.registry.load_full();
    let prepared = prepare(engine, manifest, &current, is_reload)?;
    let mut reload = Reload::unchanged(current.generation, prepared.changes);
    reload.templates = prepared.template_change;
    if current.generation > 0 && is_same(&current, &prepared.next) {
        return Ok(reload);
    }
    let mut slots = prepared.slots;
    prepared.first.take_in(engine.clock);
    let old = engine.registry.replace(&mut slots, prepared.next);
    drop(slots);
    let new = engine.registry.load_full();
    drop(current);
    retire(old, &new, new.timeouts.drain);
    reload.generation = new.generation;
    reload.changed = true;
    Ok(reload)
}

/// What [`apply`] would change: everything up to the swap is done, and undone. The caller holds the host's change
/// lock.
pub(super) fn planned(engine: &Engine, manifest: &Manifest) -> Result<Reload, ManifestErrors> {
    let current = engine.registry.load_full();
    let prepared = prepare(engine, manifest, &current, true)?;
    drop(prepared.slots);
    let mut reload = Reload::unchanged(current.generation, prepared.changes);
    reload.templates = prepared.template_change;
    reload.planned = true;
    reload.changed = !is_same(&current, &prepared.next);
    discard(prepared.next);
    Ok(reload)
}

fn prepare<'e>(
    engine: &'e Engine,
    manifest: &Manifest,
    current: &Snapshot,
    is_reload: bool,
) -> Result<Prepared<'e>, ManifestErrors> {
    manifest.withhold_secrets();
    let mut errors = Vec::new();
    let plugins = load(engine, manifest, current, &mut errors);
    // Without its plugin a region's error would be a consequence, not a cause.
    let all_loaded = errors.is_empty();
    errors.extend(code_twice(manifest, current));
    let assembly = Assembly {
        plugins: &plugins,
        current,
        engine,
        open_timeout: timeouts(manifest).open,
        origin: Origin::Manifest,
        is_reload,
        shared: RefCell::new(current.shared_instances()),
    };
    let regions = open(&assembly, manifest, all_loaded, &mut errors);
    let templates = templates(&assembly, manifest, all_loaded, &mut errors);
    let new: Vec<_> = regions.iter().map(sketch).collect();
    let changes = plan(&listed(current), &new);
    let template_change = template_change(current.templates.as_ref(), templates.as_ref());
    let mut next = Snapshot::new(plugins);
    next.timeouts = timeouts(manifest);
    next.templates = templates;
    for region in current
        .regions()
        .filter(|region| region.origin == Origin::Code)
    {
        next.put(region.clone());
    }
    for region in regions {
        next.put(region);
    }
    errors.extend(on_the_same_keys(manifest, &next));
    if let Err(refused) = refuse(manifest, &mut errors) {
        discard(next);
        return Err(refused);
    }
    let first = first_read(current, &next, next.timeouts.open);
    let slots = engine.registry.slots();
    errors.extend(held(manifest, current, &next, &slots));
    errors.extend(keeps_objects(manifest, current, &next));
    if let Err(refused) = refuse(manifest, &mut errors) {
        discard(next);
        return Err(refused);
    }
    Ok(Prepared {
        next,
        first,
        changes,
        template_change,
        slots,
    })
}

fn timeouts(manifest: &Manifest) -> Timeouts {
    Timeouts {
        open: manifest.host().open_timeout.unwrap_or(FOR_EVER),
        drain: manifest.host().drain_timeout,
    }
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

/// Whether nothing would be gained by the new one: the same plugins, and the same regions on the same instances.
fn is_same(current: &Snapshot, next: &Snapshot) -> bool {
    let same = |old: &Configured| {
        next.region(old.slot.number).is_some_and(|new| {
            old.config == new.config && Arc::ptr_eq(&old.instance, &new.instance)
        })
    };
    let same_templates = match (&current.templates, &next.templates) {
        (Some(old), Some(new)) => Arc::ptr_eq(&old.cache, &new.cache) && old.config == new.config,
        (old, new) => old.is_none() && new.is_none(),
    };
    same_templates
        && current.plugins.is_same(&next.plugins)
        && current.regions().count() == next.regions().count()
        && current.regions().all(same)
}

fn refuse(manifest: &Manifest, errors: &mut Vec<ManifestError>) -> Result<(), ManifestErrors> {
    match manifest.refuse(std::mem::take(errors)) {
        Some(errors) => Err(errors),
        None => Ok(()),
    }
}

/// All listed plugins, beside those that are linked in. What is loaded already is not loaded again.
fn load(
    engine: &Engine,
    manifest: &Manifest,
    current: &Snapshot,
    errors: &mut Vec<ManifestError>,
) -> PluginSet {
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
    let loader = Loader::new().pin(config.sha256.clone());
    match trust {
        Some(trust) => loader.trust(trust),
        None => loader,
    }
}

fn not_loaded(manifest: &Manifest, plugin: &PluginConfig, error: &LoadError) -> ManifestError {
    let message = format!("{}: {}", error.path().display(), error.message());
    let place = ["plugins", &plugin.name, "file"];
    let told = manifest.error_at(&place, message, error.remedy());
    told.with_code(error.kind().code())
}

/// All regions of the manifest, opened beside the current ones.
fn open(
    assembly: &Assembly<'_>,
    manifest: &Manifest,
    all_loaded: bool,
    errors: &mut Vec<ManifestError>,
) -> Vec<Configured> {
    let mut regions = Vec::new();
    for (name, config) in manifest.regions() {
        let slot = assembly.engine.registry.slots().get_or_reserve(name);
        if is_in_code(assembly.current, &slot) {
            continue;
        }
        match assembly.region(&Arc::new(config.clone()), &slot) {
            Ok(region) => regions.push(region),
            Err(refusals) => {
                errors.extend(refused(manifest, &["regions", name], refusals, all_loaded));
            }
        }
    }
    regions
}

/// The templates' cache: that of the program, or what the manifest says.
fn templates(
    assembly: &Assembly<'_>,
    manifest: &Manifest,
    all_loaded: bool,
    errors: &mut Vec<ManifestError>,
) -> Option<Templates> {
    let in_code = assembly.current.templates.as_ref();
    let in_code = in_code.filter(|templates| templates.origin == Origin::Code);
    let (Some(config), None) = (manifest.templates(), in_code) else {
        if manifest.templates().is_some() {
            errors.push(manifest.error_at_key(
                &["templates"],
                "the templates are configured in the program's code",
                "configure them once: here, or in code",
            ));
        }
        return in_code.cloned();
    };
    match assembly.templates(&Arc::new(config.clone())) {
        Ok(templates) => Some(templates),
        Err(refusals) => {
            errors.extend(refused(manifest, &["templates"], refusals, all_loaded));
            None
        }
    }
}

/// Refusals of what stands at a place of the manifest. Where a plugin did not load, that something is not offered is a
/// consequence.
fn refused<'a>(
    manifest: &'a Manifest,
    place: &'a [&'a str],
    refusals: Refusals,
    all_loaded: bool,
) -> impl Iterator<Item = ManifestError> + 'a {
    let refused = refusals.0.into_iter();
    refused
        .filter(move |one| all_loaded || one.kind != ErrorKind::PluginNotFound)
        .map(move |one| refused_at(manifest, place, one))
}

fn refused_at(manifest: &Manifest, place: &[&str], refused: Refused) -> ManifestError {
    let mut path = place.to_vec();
    path.extend(refused.place.iter().map(String::as_str));
    let error = if refused.about_key {
        manifest.error_at_key(&path, refused.message, refused.remedy)
    } else {
        manifest.error_at(&path, refused.message, refused.remedy)
    };
    match refused.code {
        Some(code) => error.with_code(code),
        None => error,
    }
}

fn is_in_code(current: &Snapshot, slot: &Slot) -> bool {
    let region = current.region(slot.number);
    region.is_some_and(|region| region.origin == Origin::Code)
}

fn code_twice<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    let in_code = current
        .regions()
        .filter(|region| region.origin == Origin::Code);
    in_code.filter_map(|region| {
        let name = &region.config.name;
        manifest.regions().contains_key(name).then(|| {
            manifest.error_at_key(
                &["regions", name],
                format!("region `{name}` is configured in the program's code"),
                "configure it once: here, or in code",
            )
        })
    })
}

/// Regions of the manifest that would use the same keys as others, of the manifest or of the program.
fn on_the_same_keys<'a>(
    manifest: &'a Manifest,
    next: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    next.refuse_same_keys().filter_map(|(pair, refused)| {
        let mut pair = pair.into_iter();
        let listed = pair.rfind(|region| region.origin == Origin::Manifest)?;
        let place = ["regions", &listed.config.name];
        Some(refused_at(manifest, &place, refused))
    })
}

/// Regions that the manifest leaves out, and the program holds.
fn held<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
    next: &'a Snapshot,
    slots: &'a Slots,
) -> impl Iterator<Item = ManifestError> + 'a {
    let gone = current
        .regions()
        .filter(|region| next.region(region.slot.number).is_none());
    gone.filter_map(|region| {
        let name = &region.config.name;
        slots.get(name)?.is_held().then(|| {
            manifest.error_at(
                &["regions"],
                format!(
                    "region `{name}` is not listed any more, but the program holds handles to it"
                ),
                format!("put [regions.{name}] back; it can go when the program that uses it does"),
            )
        })
    })
}

/// Regions that began to keep objects while their new backend was opened.
fn keeps_objects<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
    next: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    next.regions().filter_map(|region| {
        let refused = region.refuse_objects(current.region(region.slot.number))?;
        let place = ["regions", &region.config.name];
        Some(refused_at(manifest, &place, refused))
    })
}

/// The regions of the manifest that is in force.
fn listed(snapshot: &Snapshot) -> Vec<Sketch<'_>> {
    let listed = snapshot
        .regions()
        .filter(|region| region.origin == Origin::Manifest);
    listed.map(sketch).collect()
}

fn proxies(region: &Configured) -> impl Iterator<Item = &Arc<Instance>> {
    let links = region.instance.links();
    links.filter(|link| link.inner.is_some())
}

fn sketch(region: &Configured) -> Sketch<'_> {
    Sketch {
        config: &region.config,
        code: region.instance.base().plugin.code(),
        proxies: proxies(region).map(|link| link.plugin.code()).collect(),
    }
}
