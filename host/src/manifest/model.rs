use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::shown::WithoutText;
use crate::serializer::SerializerKind;

/// How long a call may take by default before it counts as one that hangs.
pub(crate) const HANG_AFTER: Duration = Duration::from_secs(2);

/// `[host]`: what concerns the process, not one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Where plugin files are; absolute, or starting at the manifest's folder.
    pub plugin_dir: PathBuf,
    /// The socket of the `dogpile` command, if the manifest sets it; resolved like `plugin_dir`.
    pub admin_socket: Option<PathBuf>,
    /// How long a backend may take to open; `None`: for ever.
    pub open_timeout: Option<Duration>,
    /// How long a replaced backend may take for its last calls; `None`: for ever.
    pub drain_timeout: Option<Duration>,
}

/// `[plugins.NAME]`: one library that may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginConfig {
    /// The name in the manifest.
    pub name: String,
    /// The bare file name.
    pub file: String,
    /// The file in the plugin directory.
    pub path: PathBuf,
    /// The SHA-256 that it must have, in lower-case hexadecimal; then it does not matter whose file it is.
    pub sha256: Option<String>,
}

/// A backend's name, with the plugin that offers it where two do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendRef {
    /// `redis` of `redis/redis_cluster`.
    pub plugin: Option<String>,
    /// `redis_cluster` of `redis/redis_cluster`.
    pub name: String,
}

impl fmt::Display for BackendRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{plugin}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// How long past its expiry a value may be served while a new one is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxStale {
    /// For this long; zero is a hard limit.
    For(Duration),
    /// Without limit, as dogpile does.
    Forever,
}

/// Which key manglers a region uses.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyManglers {
    /// None is named: the backend's own, if it has one.
    Backend,
    /// `false`: not even the backend's own.
    Off,
    /// These, applied in this order; never empty.
    Named(Vec<ManglerConfig>),
}

/// One named key mangler.
#[derive(Clone, PartialEq)]
pub struct ManglerConfig {
    /// Its name.
    pub name: String,
    /// Its arguments: a JSON object, empty if none were given.
    pub arguments: Value,
}

impl fmt::Debug for ManglerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManglerConfig")
            .field("name", &self.name)
            .field("arguments", &WithoutText(&self.arguments))
            .finish()
    }
}

/// One named proxy.
#[derive(Clone, PartialEq)]
pub struct ProxyConfig {
    /// Its name, or `plugin/name` where two plugins offer the same.
    pub name: String,
    /// Its arguments; empty if none were given.
    pub arguments: Map<String, Value>,
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = Value::Object(self.arguments.clone());
        f.debug_struct("ProxyConfig")
            .field("name", &self.name)
            .field("arguments", &WithoutText(&arguments))
            .finish()
    }
}

/// What happens when the backend fails, and while it is not called: its breaker is open, or it is reopened after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBackendError {
    /// As if the value were missing.
    Bypass,
    /// The caller gets the error.
    Fail,
}

/// Who knows of a region's invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidationScope {
    /// This process, as with dogpile.
    Local,
    /// Every process that uses the region: the storage holds a record, which each reads every
    /// `invalidation_interval`.
    Shared,
}

/// `[regions.NAME]`.
///
/// Two are equal if they mean the same, wherever their values came from. `Debug` shows no text of
/// any argument, nor what an interpolation gave.
#[derive(Clone)]
pub struct RegionConfig {
    /// The name in the manifest.
    pub name: String,
    /// The backend that holds the values.
    pub backend: BackendRef,
    /// When a value expires, from the end of its creation; `None`: never.
    pub expiration_time: Option<Duration>,
    /// How long an expired value may still be served while a new one is created.
    /// `None`: as long as the expiration time, or for ever if there is none.
    pub max_stale: Option<MaxStale>,
    /// Put before every mangled key.
    pub key_prefix: String,
    /// What is done to keys.
    pub key_mangler: KeyManglers,
    /// What stands between the region and its backend, the outermost first.
    pub proxies: Vec<ProxyConfig>,
    /// The backend's arguments, without those that the host takes itself.
    pub arguments: Map<String, Value>,
    /// How values become bytes.
    pub serializer: SerializerKind,
    /// A value with another version is a miss.
    pub value_version: u32,
    /// Whether a created value is stored over what Python pickled.
    pub replace_foreign: bool,
    /// What happens when the backend fails.
    pub on_backend_error: OnBackendError,
    /// How long past its expiry a value may be served if a creation fails.
    pub stale_if_error: Duration,
    /// How long a failed creation is left alone by those who can be served a stale value, or whose creator is run in the
    /// background.
    pub retry_after: Duration,
    /// Whether background creators are run in the background.
    pub background_refresh: bool,
    /// The share of the expiration time, from 0 to 1, after which background creators are run; `None`: not early.
    pub early_refresh: Option<f64>,
    /// The share, from 0 to 1, by which an expiration time may be shorter, another for each value.
    pub jitter: f64,
    /// How long one caller waits for another's creation; `None`: for ever, but for `lock_timeout` within a creator on a
    /// shared storage.
    pub lock_wait: Option<Duration>,
    /// The lease of a backend's mutex, which is renewed while a creation takes.
    pub lock_timeout: Duration,
    /// How long a value that was created while the backend fails is held in the process.
    pub bypass_hold: Duration,
    /// How long a call of the backend may take before nobody else calls it, until it answers a ping, but no
    /// less than what the backend says its calls may take, and a second; `None`: for ever.
    pub hang_after: Option<Duration>,
    /// How long a caller waits for a call of the backend; `None`: for as long as it takes.
    pub call_timeout: Option<Duration>,
    /// Whether another region may use the same keys.
    pub shares_keys: bool,
    /// Who knows of its invalidations; `None`: every process, where others see what the backend stores, else this one.
    pub invalidation: Option<InvalidationScope>,
    /// How often the record of shared invalidations is read; at least every millisecond.
    pub invalidation_interval: Duration,
    /// Whether a new backend must answer a ping before it is taken into use; `None`: on a reload, not at the start.
    pub require_healthy: Option<bool>,
    /// Values that were interpolated, by their path in the region, as they may be shown.
    pub(super) masked: BTreeMap<Vec<String>, String>,
}

impl RegionConfig {
    /// A region with the default of every key but these: values never expire.
    pub fn new(name: impl Into<String>, backend: BackendRef) -> Self {
        Self {
            name: name.into(),
            backend,
            expiration_time: None,
            max_stale: None,
            key_prefix: String::new(),
            key_mangler: KeyManglers::Backend,
            proxies: Vec::new(),
            arguments: Map::new(),
            serializer: SerializerKind::Json,
            value_version: 0,
            replace_foreign: false,
            on_backend_error: OnBackendError::Bypass,
            stale_if_error: Duration::ZERO,
            retry_after: Duration::from_secs(1),
            background_refresh: false,
            early_refresh: None,
            jitter: 0.0,
            lock_wait: None,
            lock_timeout: Duration::from_secs(30),
            bypass_hold: Duration::from_secs(1),
            hang_after: Some(HANG_AFTER),
            call_timeout: None,
            shares_keys: false,
            invalidation: None,
            invalidation_interval: Duration::from_secs(1),
            require_healthy: None,
            masked: BTreeMap::new(),
        }
    }

    /// Whether the value at a path in the region is what an interpolation gave.
    pub(crate) fn is_interpolated(&self, path: &[String]) -> bool {
        self.masked.contains_key(path)
    }

    /// How long an expired value may still be served, with the default worked out.
    pub fn resolved_max_stale(&self) -> MaxStale {
        self.max_stale.unwrap_or_else(|| {
            self.expiration_time
                .map_or(MaxStale::Forever, MaxStale::For)
        })
    }

    /// The names of the arguments that one has and the other has not, or not with the same value.
    pub(crate) fn differing_arguments<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let (own, others) = (&self.arguments, &other.arguments);
        let names = own.keys().chain(others.keys());
        names
            .filter(|name| own.get(*name) != others.get(*name))
            .map(String::as_str)
            .collect()
    }
}

impl PartialEq for RegionConfig {
    fn eq(&self, other: &Self) -> bool {
        // Destructured, so that a new field cannot be forgotten.
        let Self {
            name,
            backend,
            expiration_time,
            max_stale: _,
            key_prefix,
            key_mangler,
            proxies,
            arguments,
            serializer,
            value_version,
            replace_foreign,
            on_backend_error,
            stale_if_error,
            retry_after,
            background_refresh,
            early_refresh,
            jitter,
            lock_wait,
            lock_timeout,
            bypass_hold,
            hang_after,
            call_timeout,
            shares_keys,
            invalidation,
            invalidation_interval,
            require_healthy,
            masked: _,
        } = self;
        *name == other.name
            && *backend == other.backend
            && *expiration_time == other.expiration_time
            && self.resolved_max_stale() == other.resolved_max_stale()
            && *key_prefix == other.key_prefix
            && *key_mangler == other.key_mangler
            && *proxies == other.proxies
            && *arguments == other.arguments
            && *serializer == other.serializer
            && *value_version == other.value_version
            && *replace_foreign == other.replace_foreign
            && *on_backend_error == other.on_backend_error
            && *stale_if_error == other.stale_if_error
            && *retry_after == other.retry_after
            && *background_refresh == other.background_refresh
            && *early_refresh == other.early_refresh
            && *jitter == other.jitter
            && *lock_wait == other.lock_wait
            && *lock_timeout == other.lock_timeout
            && *bypass_hold == other.bypass_hold
            && *hang_after == other.hang_after
            && *call_timeout == other.call_timeout
            && *shares_keys == other.shares_keys
            && *invalidation == other.invalidation
            && *invalidation_interval == other.invalidation_interval
            && *require_healthy == other.require_healthy
    }
}
