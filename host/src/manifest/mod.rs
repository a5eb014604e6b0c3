//! The manifest: a TOML file that says which plugins are loaded and which regions there are.
//!
//! [`Manifest::load`] reads the file with what it includes, replaces `${…}` in its strings, and
//! checks everything that can be known without loading a plugin. It gives all errors at once, each
//! with its place and what would be right. It changes nothing and connects to nothing.
//!
//! # `${…}`
//!
//! `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `${file:PATH}` stand in strings, `$$` for a dollar. What they
//! give is text, and never read for more of them. Where a key of the host wants a number, a duration or a boolean, a
//! text that is wholly one counts as it: `expiration_time = "${TTL}"` takes `90` (seconds) as well as `90s`. An argument
//! of a plugin is what its JSON Schema names: where that has an integer, a number or a boolean, alone or among others, a
//! text that is wholly one counts as it; otherwise it stays text, so that a password may be all digits.
//!
//! # Secrets
//!
//! No message, remedy or shown line holds
//!
//! - what an interpolation gave, or what stands for one that gave nothing;
//! - values of keys that name a secret (`password`, `api_key`, also with a slip: `pasword`) or who logs in
//!   (`username`), and all below such a key;
//! - credentials inside of strings: the user information of URLs and of `user:password@host`, parameters such as
//!   `?password=x`, and members of JSON; a part of them is masked by itself too, also without its percent-encoding;
//! - the value of a key that nobody knows, as its name may be that of a secret.
//!
//! A value of less than four characters is masked where it is quoted as a whole, and not inside of other words; so is
//! the name of who logs in of less than eight. A secret that is neither interpolated nor under a name that says so
//! cannot be told from other text: interpolate it.
//!
//! # Saving
//!
//! A host that follows the file may read it at any time, so a new one should be written beside it and renamed over it.
//! One that is written in place is read when it has not changed for 60 ms, or for a second while the last line of a
//! `.toml` file has no end.

mod admin_socket;
mod advice;
mod check;
mod content_hash;
mod duration;
mod error;
mod in_code;
mod include;
mod interpolate;
mod json;
mod keys;
mod load;
mod model;
mod read;
mod region;
mod resolve;
mod schema;
mod shown;
mod source;
mod suggest;
mod syntax;
mod tables;
mod templates;
mod typed;

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(crate) use admin_socket::admin_socket_of;
pub use error::{ManifestError, ManifestErrors, Severity};
pub(crate) use model::HANG_AFTER;
pub use model::{
    BackendRef, HostConfig, InvalidationScope, KeyManglers, ManglerConfig, MaxStale,
    OnBackendError, PluginConfig, ProxyConfig, RegionConfig,
};

pub use crate::secrets::without_secrets;
pub use resolve::{Unresolved, resolve};
pub use schema::{Offer, OfferKind, plain_schema, schema};
pub use templates::TemplatesConfig;

use read::Places;
use source::Source;

use self::content_hash::ContentHash;
use crate::secrets::{Secrets, withhold};
use crate::trust::{Distrust, Trust};

/// A manifest that was read and found right, as far as it can be judged without its plugins.
///
/// `Debug` shows no secret: see [`RegionConfig`].
#[derive(Clone)]
pub struct Manifest {
    host: HostConfig,
    plugins: BTreeMap<String, PluginConfig>,
    regions: BTreeMap<String, RegionConfig>,
    templates: Option<TemplatesConfig>,
    warnings: Vec<ManifestError>,
    sources: Vec<Arc<Source>>,
    places: Places,
    inputs: Vec<PathBuf>,
    content_hash: String,
    /// What no later message may show.
    secrets: Secrets,
    /// Whether no error can have kept a plugin out of it.
    lists_all_plugins: bool,
}

impl Manifest {
    /// Reads a manifest; `${V}` is taken from the environment of the process, and so is whose files are trusted
    /// (`DOGPILE_TRUST`).
    ///
    /// Reads files and folders, so it may block for as long as the file system does.
    pub fn load(path: &Path) -> Result<Self, ManifestErrors> {
        Self::load_trusting(path, None)
    }

    /// Reads a manifest; `${V}` is taken from a function, which is asked once for each variable. Whose file it is does
    /// not matter.
    pub fn load_with(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ManifestErrors> {
        load::load(path, Trust::Off, &|name| Ok(environment(name)))
    }

    /// As [`Manifest::load`], trusting as it is told to.
    pub(crate) fn load_trusting(path: &Path, trust: Option<Trust>) -> Result<Self, ManifestErrors> {
        let trust = trust.map_or_else(Trust::of_environment, Ok);
        let trust = trust.map_err(|Distrust { message, remedy }| {
            let message = format!("the manifest {message}");
            let hash = ContentHash::default();
            let error = ManifestError::about_file(path, message, remedy);
            ManifestErrors::new(vec![error], vec![path.to_owned()], hash.finish())
        })?;
        load::load(path, trust, &|name| match env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err("is not UTF-8 text".into()),
        })
    }

    /// `[host]`, with defaults.
    pub fn host(&self) -> &HostConfig {
        &self.host
    }

    /// `[plugins]` by name: what may be loaded, and nothing else may.
    pub fn plugins(&self) -> &BTreeMap<String, PluginConfig> {
        &self.plugins
    }

    /// `[regions]` by name, with defaults.
    pub fn regions(&self) -> &BTreeMap<String, RegionConfig> {
        &self.regions
    }

    /// `[templates]`, if it is there.
    pub fn templates(&self) -> Option<&TemplatesConfig> {
        self.templates.as_ref()
    }

    /// Leaves out all other regions and the templates, and has that one changed. An error, with those that there are, if it has no such.
    pub(crate) fn keep_only(
        &mut self,
        region: &str,
        change: &dyn Fn(&mut RegionConfig),
    ) -> Result<(), String> {
        if let Some(fault) = self.lacks(region) {
            return Err(fault);
        }
        self.regions.retain(|name, _| name == region);
        self.regions.values_mut().for_each(change);
        self.templates = None;
        Ok(())
    }

    /// That it has no region of this name, what it has, and which may be meant. `None`: it has it.
    pub fn lacks(&self, region: &str) -> Option<String> {
        if self.regions.contains_key(region) {
            return None;
        }
        let names: Vec<_> = self.regions.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Some(format!("no region `{region}`; the manifest has none"));
        }
        let meant = suggest::nearest(region, &names);
        let meant = meant.map_or(String::new(), |name| format!(": did you mean `{name}`?"));
        Some(format!(
            "no region `{region}`; the manifest has `{}`{meant}",
            names.join("`, `")
        ))
    }

    /// Whether [`Manifest::plugins`] has all that the file lists; if not, a name that none of them offers may be right.
    /// Always so for one that has no errors.
    pub fn lists_all_plugins(&self) -> bool {
        self.lists_all_plugins
    }

    /// What is allowed, but probably not meant.
    pub fn warnings(&self) -> &[ManifestError] {
        &self.warnings
    }

    /// SHA-256 in hexadecimal over all that was read: the manifest, included files, the targets of
    /// `${file:…}`, and the variables used with their values. Two loads with the same hash mean the
    /// same.
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// What must be watched: every file read, and the folders of `include` patterns. Sorted, and
    /// spelled from the manifest's path as the caller gave it.
    pub fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// An error about the value at a path, for checks made elsewhere: an unknown backend, an
    /// argument that the backend refuses. Elements of arrays are named by their number.
    ///
    /// Where the path is absent, its nearest ancestor is shown. What an interpolation gave, values of keys that name a
    /// secret, and the user information of URLs are masked in message and remedy, whoever wrote them.
    pub fn error_at(
        &self,
        path: &[&str],
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ManifestError {
        self.at(
            Severity::Error,
            path,
            false,
            &message.into(),
            &remedy.into(),
        )
    }

    /// As [`error_at`](Self::error_at), about the key itself: an argument that does not exist.
    pub fn error_at_key(
        &self,
        path: &[&str],
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ManifestError {
        self.at(Severity::Error, path, true, &message.into(), &remedy.into())
    }

    /// As [`error_at`](Self::error_at), about what works, but probably not as it is meant.
    pub fn warning_at(
        &self,
        path: &[&str],
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ManifestError {
        self.at(
            Severity::Warning,
            path,
            false,
            &message.into(),
            &remedy.into(),
        )
    }

    /// From now on no record of a plugin holds what was interpolated here, nor other secrets.
    pub(crate) fn withhold_secrets(&self) {
        withhold(&self.secrets);
    }

    /// The file that defines a plugin: the manifest, or one that it includes.
    pub fn file_of_plugin(&self, name: &str) -> Option<&Path> {
        let path = ["plugins", name].map(str::to_owned);
        let (key, _) = self.places.get(&path[..])?;
        Some(self.sources[key.source].path())
    }

    fn at(
        &self,
        severity: Severity,
        path: &[&str],
        key: bool,
        message: &str,
        remedy: &str,
    ) -> ManifestError {
        let (message, remedy) = (self.secrets.mask(message), self.secrets.mask(remedy));
        let mut path: Vec<String> = path.iter().map(|&part| part.to_owned()).collect();
        loop {
            if let Some((key_place, value_place)) = self.places.get(&path) {
                let place = if key { key_place } else { value_place };
                let source = &self.sources[place.source];
                // Nobody knows what an unknown argument holds.
                let hides_value = key && path.iter().any(|part| part == "arguments");
                return if hides_value {
                    source.finding_without_value(severity, &place.span, message, remedy)
                } else {
                    source.finding(severity, &place.span, message, remedy)
                };
            }
            if path.pop().is_none() {
                return self.sources[0].finding(severity, &(0..0), message, remedy);
            }
        }
    }

    /// Whether something stands at a path, by whatever file.
    pub(crate) fn says(&self, path: &[&str]) -> bool {
        let path: Vec<String> = path.iter().map(|&part| part.to_owned()).collect();
        self.places.contains_key(&path)
    }

    /// Makes one error of what checks elsewhere found, in the form of a failed load: in the order of files and lines.
    ///
    /// Returns `None` if there are none.
    pub fn refuse(&self, errors: Vec<ManifestError>) -> Option<ManifestErrors> {
        if errors.is_empty() {
            return None;
        }
        let none = ManifestErrors::new(Vec::new(), self.inputs.clone(), self.content_hash.clone());
        Some(none.and(self, errors))
    }

    /// Where an error's file comes among those that were read.
    fn order_of(&self, error: &ManifestError) -> (usize, usize, usize) {
        let is_its = |source: &Arc<Source>| source.path() == error.file();
        let file = self.sources.iter().position(is_its);
        // Of what could not be read at all, first.
        let file = file.map_or(0, |index| index + 1);
        (file, error.line(), error.column())
    }

    /// The effective manifest as TOML, to stand where the manifest does: includes and interpolations done, defaults
    /// written out, but for those that the region's backend decides.
    /// Interpolated parts, values of keys that name a secret, and the user information of URLs are
    /// `***`.
    pub fn masked_toml(&self) -> String {
        let limit = |limit: Option<std::time::Duration>| {
            limit.map_or_else(|| "never".into(), duration::display)
        };
        // As the manifest spells them, so that they mean the same where it is.
        let folder = self.sources[0].path().parent().unwrap_or(Path::new(""));
        let path = |path: &Path| {
            let spelled = path.strip_prefix(folder).unwrap_or(path);
            Value::from(spelled.to_string_lossy())
        };
        let mut host = Map::new();
        host.insert("plugin_dir".into(), path(&self.host.plugin_dir));
        if let Some(socket) = &self.host.admin_socket {
            host.insert("admin_socket".into(), path(socket));
        }
        host.insert("open_timeout".into(), limit(self.host.open_timeout).into());
        host.insert(
            "drain_timeout".into(),
            limit(self.host.drain_timeout).into(),
        );
        let plugins: Map<String, Value> = self
            .plugins
            .iter()
            .map(|(name, plugin)| {
                let mut shown = json!({ "file": plugin.file });
                if let Some(sha256) = &plugin.sha256 {
                    shown["sha256"] = sha256.as_str().into();
                }
                (name.clone(), shown)
            })
            .collect();
        let regions: Map<String, Value> = self
            .regions
            .iter()
            .map(|(name, region)| (name.clone(), region.masked_value()))
            .collect();
        let mut manifest = json!({ "version": 1, "host": host });
        if !plugins.is_empty() {
            manifest["plugins"] = plugins.into();
        }
        if !regions.is_empty() {
            manifest["regions"] = regions.into();
        }
        if let Some(templates) = &self.templates {
            manifest["templates"] = templates.masked_value();
        }
        double_dollars(&mut manifest);
        toml::to_string(&manifest).expect("what came from TOML can be written as TOML")
    }
}

/// A single dollar would begin an interpolation when the text is read again.
fn double_dollars(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(double_dollars),
        Value::Object(table) => table.values_mut().for_each(double_dollars),
        _ => {}
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("host", &self.host)
            .field("plugins", &self.plugins)
            .field("regions", &self.regions)
            .field("templates", &self.templates)
            .field("warnings", &self.warnings.len())
            .field("inputs", &self.inputs)
            .field("content_hash", &self.content_hash)
            .finish_non_exhaustive()
    }
}
