//! What a host tells of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use dogpile_plugin_api::{
    API_VERSION, BackendInfo, ManglerInfo, ProxyInfo, RUSTC_VERSION, TemplateCacheInfo,
};
use serde::{Deserialize, Serialize};

use crate::draining::Leaving;
use crate::inner::Inner;
use crate::loader;
use crate::paths;
use crate::plugins::{Leaked, PluginEntry};
use crate::registry::{Configured, Snapshot, Templates};
use crate::reload::{ReloadRecord, Reloads};
use crate::slot::MissReason;

/// The state of a host at a moment. Field names are stable: `dogpile status --json` prints them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// Counted up with every change that was applied.
    pub generation: u64,
    /// The manifest that the host follows, if it follows one.
    #[serde(serialize_with = "paths::in_json_if_any")]
    pub manifest: Option<PathBuf>,
    /// SHA-256 over everything that the applied manifest was made of, in hex.
    pub manifest_hash: Option<String>,
    /// When the applied manifest was, by RFC 3339.
    pub loaded_at: Option<String>,
    /// Why the newest manifest was refused, if it was; the last good one is in force.
    pub last_error: Option<String>,
    /// The newest reload, or the start: why and when it began, how long it took, what came of it, and what became of
    /// each region.
    #[serde(default)]
    pub last_reload: Option<ReloadRecord>,
    /// How many reloads there were.
    #[serde(default)]
    pub reloads: Reloads,
    /// What was replaced and is not closed yet, since calls of it have not ended; the oldest first.
    #[serde(default)]
    pub draining: Vec<DrainingStatus>,
    /// How many images of plugins this process has mapped. They stay: each changed file adds one.
    pub loaded_images: usize,
    /// How many of those that this host loaded belong to none of its plugins any more.
    #[serde(default)]
    pub leaked_images: usize,
    /// About how much memory these take: the size of their files.
    #[serde(default)]
    pub leaked_bytes: u64,
    /// The plugins, those that were linked in first.
    pub plugins: Vec<PluginStatus>,
    /// The regions, by name.
    pub regions: Vec<RegionStatus>,
    /// What decides of the program's templates, if anything does.
    #[serde(default)]
    pub templates: Option<TemplatesStatus>,
}

/// A plugin of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginStatus {
    /// Its name in the manifest, or its package's if it was linked in.
    pub name: String,
    /// Its file; none if it was linked in.
    #[serde(serialize_with = "paths::in_json_if_any")]
    pub file: Option<PathBuf>,
    /// The version of its package.
    pub version: String,
    /// The number of its image in this process, from 1: a changed file is another. 0 if it was linked in.
    pub generation: u64,
    /// `loaded`, or `linked`.
    pub state: String,
    /// How many older images of it are mapped yet.
    #[serde(default)]
    pub leaked_images: usize,
    /// About how much memory these take: the size of their files.
    #[serde(default)]
    pub leaked_bytes: u64,
}

/// An instance that was replaced, and is not closed yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DrainingStatus {
    /// What it is: its name, its plugin, and what it is a proxy of.
    pub instance: String,
    /// How many calls of it have not ended. 0 while a creation holds its lock, or while it is being closed.
    pub calls: usize,
    /// When it was replaced, by RFC 3339.
    pub since: String,
    /// `draining`; `stuck` after `[host] drain_timeout`; `closing` once its calls have ended.
    pub state: String,
}

/// The template cache of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TemplatesStatus {
    /// Its name.
    pub name: String,
    /// The plugin that offers it.
    pub plugin: String,
    /// `open`; `retired` while it is reopened, after a panic or because a call hangs in it.
    pub state: String,
}

/// A region of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegionStatus {
    /// Its name.
    pub name: String,
    /// Its backend.
    pub backend: String,
    /// The plugin that serves it.
    pub plugin: String,
    /// The proxies around the backend, the outermost first.
    #[serde(default)]
    pub proxies: Vec<String>,
    /// `open`; `breaker open` while calls of its backend would fail; `retired` while it is reopened, after a panic or a write
    /// that took longer than `call_timeout`; `closed` while its successor opens.
    pub state: String,
    /// Why it is not `open`, such as `hang in get for 2.0 s`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Calls that are stuck in its backend, as far as `hang_after` has told.
    #[serde(default)]
    pub stuck_calls: usize,
    /// Calls that found a fresh value.
    pub hits: u64,
    /// Calls that did not, by reason.
    pub misses: BTreeMap<String, u64>,
    /// Calls that were served a stale value.
    pub stale: u64,
    /// Creators run to their end.
    pub creations: u64,
    /// Calls that waited for another's creation.
    pub waits: u64,
    /// Calls that ended with an error.
    pub errors: u64,
    /// Values that the backend failed to store, whether or not a call ended with that.
    #[serde(default)]
    pub store_errors: u64,
    /// Who knows of its invalidations: `local`, `shared`, or `strategy` where the program has its own.
    pub invalidation: String,
    /// When it was last invalidated hard, as far as this process knows, by RFC 3339.
    pub hard_invalidated_at: Option<String>,
    /// When it was last invalidated soft.
    pub soft_invalidated_at: Option<String>,
    /// How many tags are known to have been invalidated, of those that are told apart.
    pub invalidated_tags: usize,
}

/// Everything known of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginDescription {
    /// Its name in the manifest, or its package's if it was linked in.
    pub name: String,
    /// Its file; none if it was linked in.
    #[serde(serialize_with = "paths::in_json_if_any")]
    pub file: Option<PathBuf>,
    /// Its package.
    pub package: String,
    /// The version of its package.
    pub version: String,
    /// The version of plugin-api that it was built with.
    pub api_version: String,
    /// The compiler that it was built with.
    pub rustc: String,
    /// SHA-256 of its file, in hex; none if it was linked in.
    pub sha256: Option<String>,
    /// Its backends.
    pub backends: Vec<BackendInfo>,
    /// Its key manglers.
    pub manglers: Vec<ManglerInfo>,
    /// Its proxies.
    #[serde(default)]
    pub proxies: Vec<ProxyInfo>,
    /// Its template caches.
    #[serde(default)]
    pub template_caches: Vec<TemplateCacheInfo>,
}

impl Inner {
    pub(crate) fn status(&self) -> HostStatus {
        self.status_of(&self.engine.registry.load_full())
    }

    /// With the regions and plugins as they are in a snapshot.
    pub(crate) fn status_of(&self, snapshot: &Snapshot) -> HostStatus {
        let follower = self.follower.as_ref();
        let state = follower
            .map(|follower| follower.state())
            .unwrap_or_default();
        let mut regions: Vec<_> = snapshot.regions().map(region_status).collect();
        regions.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let leaked = self.engine.images.leaked(&snapshot.plugins, None);
        let last_error = state.last.as_ref().and_then(|last| last.error.clone());
        HostStatus {
            generation: snapshot.generation,
            manifest: follower.map(|follower| follower.path().to_owned()),
            manifest_hash: state.hash,
            loaded_at: state
                .applied
                .map(|time| humantime::format_rfc3339_seconds(time).to_string()),
            last_error,
            last_reload: state.last,
            reloads: state.reloads,
            draining: self
                .engine
                .draining
                .all()
                .iter()
                .map(|one| draining(one))
                .collect(),
            loaded_images: loader::loaded_images(),
            leaked_images: leaked.images,
            leaked_bytes: leaked.bytes,
            plugins: snapshot
                .plugins
                .iter()
                .map(|entry| {
                    let images = &self.engine.images;
                    plugin_status(entry, images.leaked(&snapshot.plugins, Some(&entry.name)))
                })
                .collect(),
            regions,
            templates: snapshot.templates.as_ref().map(templates_status),
        }
    }

    pub(crate) fn plugins(&self) -> Vec<PluginDescription> {
        self.engine
            .registry
            .load_full()
            .plugins
            .iter()
            .map(|entry| described(entry))
            .collect()
    }
}

fn draining(leaving: &Leaving) -> DrainingStatus {
    DrainingStatus {
        instance: leaving.title.clone(),
        calls: leaving.calls(),
        since: humantime::format_rfc3339_millis(leaving.since).to_string(),
        state: leaving.state().to_owned(),
    }
}

fn plugin_status(entry: &PluginEntry, leaked: Leaked) -> PluginStatus {
    let file = entry.file.as_ref();
    PluginStatus {
        name: entry.name.clone(),
        file: file.map(|file| file.path.clone()),
        version: entry.info.version.clone(),
        generation: file.map_or(0, |file| file.image),
        state: if file.is_some() { "loaded" } else { "linked" }.to_owned(),
        leaked_images: leaked.images,
        leaked_bytes: leaked.bytes,
    }
}

fn templates_status(templates: &Templates) -> TemplatesStatus {
    let cache = &templates.cache;
    TemplatesStatus {
        name: cache.name.clone(),
        plugin: cache.plugin.name.clone(),
        state: cache.state().name().to_owned(),
    }
}

fn region_status(region: &Configured) -> RegionStatus {
    let stats = region.slot.stats.read();
    let reason = |(reason, count): (MissReason, u64)| (reason.name().to_owned(), count);
    let invalidated = region.slot.invalidations.in_force();
    let marks = invalidated.marks();
    RegionStatus {
        name: region.config.name.clone(),
        backend: region.config.backend.name.clone(),
        plugin: region.instance.base().plugin.name.clone(),
        proxies: region
            .config
            .proxies
            .iter()
            .map(|proxy| proxy.name.clone())
            .collect(),
        state: region.instance.state().name().to_owned(),
        reason: region.instance.cause(),
        stuck_calls: region.instance.backend.health().stuck(),
        hits: stats.hits,
        misses: stats.misses.into_iter().map(reason).collect(),
        stale: stats.stale,
        creations: stats.creations,
        waits: stats.waits,
        errors: stats.errors,
        store_errors: stats.store_errors,
        invalidation: match (invalidated.strategy(), region.shares_invalidations()) {
            (Some(_), _) => "strategy",
            (None, true) => "shared",
            (None, false) => "local",
        }
        .to_owned(),
        hard_invalidated_at: time(marks.region().hard),
        soft_invalidated_at: time(marks.region().soft),
        invalidated_tags: marks.tags(),
    }
}

fn time(nanoseconds: u64) -> Option<String> {
    let time = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
    (nanoseconds != 0).then(|| humantime::format_rfc3339_micros(time).to_string())
}

fn described(entry: &PluginEntry) -> PluginDescription {
    let file = entry.file.as_ref();
    PluginDescription {
        name: entry.name.clone(),
        file: file.map(|file| file.path.clone()),
        package: entry.info.package.clone(),
        version: entry.info.version.clone(),
        api_version: file
            .map_or(API_VERSION, |file| &file.api_version)
            .to_owned(),
        rustc: file.map_or(RUSTC_VERSION, |file| &file.rustc).to_owned(),
        sha256: file.map(|file| file.digest.clone()),
        backends: entry.info.backends.clone(),
        manglers: entry.info.manglers.clone(),
        proxies: entry.info.proxies.clone(),
        template_caches: entry.info.template_caches.clone(),
    }
}
