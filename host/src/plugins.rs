//! The plugins of a host, and which of them offers what.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dogpile_plugin_api::abi::RawHost;
use dogpile_plugin_api::{Plugin, PluginInfo};
use parking_lot::Mutex;

use crate::manifest::{BackendRef, Unresolved, resolve};

/// A plugin that was linked in or loaded, and started.
pub(crate) struct PluginEntry {
    /// The name in the manifest, or the package's of a plugin that was linked in.
    pub(crate) name: String,
    pub(crate) plugin: Plugin,
    pub(crate) info: PluginInfo,
    pub(crate) host: RawHost,
    /// None: linked into the program.
    pub(crate) file: Option<PluginFile>,
}

/// Where a loaded plugin came from.
#[derive(Clone, Debug)]
pub(crate) struct PluginFile {
    pub(crate) path: PathBuf,
    /// sha256 of the file, in hex.
    pub(crate) digest: String,
    /// The number of the loaded image in this process: another number is other code.
    pub(crate) image: u64,
    pub(crate) api_version: String,
    pub(crate) rustc: String,
}

impl PluginEntry {
    /// What its code is known by: the digest of its file, or the name of what is linked in.
    pub(crate) fn code(&self) -> &str {
        self.file.as_ref().map_or(&self.name, |file| &file.digest)
    }

    /// Whether both are the same code.
    pub(crate) fn same_code(&self, other: &Self) -> bool {
        match (&self.file, &other.file) {
            (Some(own), Some(others)) => own.image == others.image,
            (None, None) => self.name == other.name,
            _ => false,
        }
    }
}

/// For errors: its name, and its file if it has one.
impl fmt::Display for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`", self.name)?;
        match &self.file {
            Some(file) => write!(f, " ({})", file.path.display()),
            None => Ok(()),
        }
    }
}

/// The images of plugins that a host has loaded, by number. They stay mapped, whatever becomes of the plugins.
#[derive(Default)]
pub(crate) struct Images(Mutex<BTreeMap<u64, KnownImage>>);

struct KnownImage {
    plugin: String,
    bytes: u64,
}

/// Images that stay mapped, and that no plugin of a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaked {
    pub(crate) images: usize,
    pub(crate) bytes: u64,
}

impl Images {
    pub(crate) fn note(&self, plugin: &str, image: u64, bytes: u64) {
        let known = || KnownImage {
            plugin: plugin.to_owned(),
            bytes,
        };
        self.0.lock().entry(image).or_insert_with(known);
    }

    /// Those that no plugin in use is: of one name, or of all.
    pub(crate) fn leaked(&self, now: &PluginSet, plugin: Option<&str>) -> Leaked {
        let in_use = |image: u64| {
            let files = now.iter().filter_map(|entry| entry.file.as_ref());
            let mut files = files;
            files.any(|file| file.image == image)
        };
        let known = self.0.lock();
        let of_it = known.iter().filter(|(image, known)| {
            plugin.is_none_or(|plugin| known.plugin == plugin) && !in_use(**image)
        });
        of_it.fold(Leaked::default(), |leaked, (_, known)| Leaked {
            images: leaked.images + 1,
            bytes: leaked.bytes + known.bytes,
        })
    }
}

/// `plugin/name`, or a bare name.
fn split(wanted: &str) -> (Option<&str>, &str) {
    match wanted.split_once('/') {
        Some((plugin, name)) => (Some(plugin), name),
        None => (None, wanted),
    }
}

/// The plugins of one generation.
#[derive(Clone, Default)]
pub(crate) struct PluginSet {
    entries: Vec<Arc<PluginEntry>>,
}

impl PluginSet {
    pub(crate) fn add(&mut self, entry: Arc<PluginEntry>) {
        self.entries.push(entry);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<PluginEntry>> {
        self.entries.iter()
    }

    /// Whether both are the same plugins, in the same order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let mut pairs = self.entries.iter().zip(&other.entries);
        self.entries.len() == other.entries.len()
            && pairs.all(|(own, others)| Arc::ptr_eq(own, others))
    }

    /// The plugin that offers a backend.
    pub(crate) fn backend(&self, wanted: &BackendRef) -> Result<&Arc<PluginEntry>, Unresolved> {
        self.one("backend", wanted.plugin.as_deref(), &wanted.name, |info| {
            info.backends
                .iter()
                .map(|backend| backend.name.as_str())
                .collect()
        })
    }

    /// The plugin that offers a key mangler, by `name` or `plugin/name`, and its bare name.
    pub(crate) fn mangler<'n>(
        &self,
        wanted: &'n str,
    ) -> Result<(&Arc<PluginEntry>, &'n str), Unresolved> {
        let (plugin, name) = split(wanted);
        let entry = self.one("key mangler", plugin, name, |info| {
            info.manglers
                .iter()
                .map(|mangler| mangler.name.as_str())
                .collect()
        })?;
        Ok((entry, name))
    }

    /// The plugin that offers a proxy, by `name` or `plugin/name`, and its bare name.
    pub(crate) fn proxy<'n>(
        &self,
        wanted: &'n str,
    ) -> Result<(&Arc<PluginEntry>, &'n str), Unresolved> {
        let (plugin, name) = split(wanted);
        let entry = self.one("proxy", plugin, name, |info| {
            info.proxies
                .iter()
                .map(|proxy| proxy.name.as_str())
                .collect()
        })?;
        Ok((entry, name))
    }

    /// The plugin that offers a template cache, by `name` or `plugin/name`, and its bare name.
    pub(crate) fn template_cache<'n>(
        &self,
        wanted: &'n str,
    ) -> Result<(&Arc<PluginEntry>, &'n str), Unresolved> {
        let (plugin, name) = split(wanted);
        let entry = self.one("template cache", plugin, name, |info| {
            info.template_caches
                .iter()
                .map(|cache| cache.name.as_str())
                .collect()
        })?;
        Ok((entry, name))
    }

    fn one<'s>(
        &'s self,
        what: &str,
        plugin: Option<&str>,
        name: &str,
        names: impl Fn(&'s PluginInfo) -> Vec<&'s str>,
    ) -> Result<&'s Arc<PluginEntry>, Unresolved> {
        let offers = |entry: &'s Arc<PluginEntry>| (&*entry.name, names(&entry.info));
        let plugins: Vec<_> = self.entries.iter().map(offers).collect();
        resolve(what, plugin, name, &plugins).map(|index| &self.entries[index])
    }
}
