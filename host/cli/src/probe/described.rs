//! What is known of a plugin.

use dogpile::loader::{Inspected, Loaded};
use dogpile_plugin_api::{BackendInfo, ManglerInfo, ProxyInfo, TemplateCacheInfo};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) package: String,
    /// Known of what was loaded, as all that follows the digest.
    pub(crate) version: Option<String>,
    pub(crate) api_version: String,
    pub(crate) rustc: String,
    pub(crate) sha256: String,
    pub(crate) backends: Vec<BackendInfo>,
    pub(crate) manglers: Vec<ManglerInfo>,
    pub(crate) proxies: Vec<ProxyInfo>,
    pub(crate) template_caches: Vec<TemplateCacheInfo>,
}

impl Described {
    pub(crate) fn of_file(file: Inspected) -> Self {
        Self {
            package: file.package,
            version: None,
            api_version: file.api_version,
            rustc: file.rustc,
            sha256: file.digest,
            backends: Vec::new(),
            manglers: Vec::new(),
            proxies: Vec::new(),
            template_caches: Vec::new(),
        }
    }

    pub(crate) fn of_loaded(loaded: Loaded) -> Self {
        let info = loaded.info;
        Self {
            package: info.package,
            version: Some(info.version),
            api_version: loaded.api_version,
            rustc: loaded.rustc,
            sha256: loaded.digest,
            backends: info.backends,
            manglers: info.manglers,
            proxies: info.proxies,
            template_caches: info.template_caches,
        }
    }

    /// The names of its backends.
    pub(crate) fn backends(&self) -> Vec<&str> {
        self.backends.iter().map(|one| one.name.as_str()).collect()
    }

    /// The names of its key manglers.
    pub(crate) fn manglers(&self) -> Vec<&str> {
        self.manglers.iter().map(|one| one.name.as_str()).collect()
    }

    /// The names of its template caches.
    pub(crate) fn template_caches(&self) -> Vec<&str> {
        let caches = self.template_caches.iter();
        caches.map(|one| one.name.as_str()).collect()
    }

    /// The names of its proxies.
    pub(crate) fn proxies(&self) -> Vec<&str> {
        self.proxies.iter().map(|one| one.name.as_str()).collect()
    }
}
