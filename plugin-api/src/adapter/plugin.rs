//! The host's side of a whole plugin.

use abi_stable::std_types::ROption;
use serde::{Deserialize, Serialize};

use super::any::AnyBackend;
use super::provide::{
    Registration, describe, open_backend, open_mangler, open_proxy, open_template_cache,
};
use super::table::give;
use super::{BackendInstance, ManglerInstance, TemplateCacheInstance};
use crate::abi::{PluginTableRef, RawHost, breach};
use crate::{Backend, Proxy, Result, TemplateCache};

/// A plugin's table, ready to be called: linked into the program, or loaded from a file by the host.
#[derive(Clone, Copy)]
pub struct Plugin(Code);

#[derive(Clone, Copy)]
enum Code {
    /// Of a crate that exports it.
    Table(PluginTableRef),
    /// Of the program itself.
    Registered(&'static [Registration]),
}

/// What a plugin says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginInfo {
    /// The name of its package.
    pub package: String,
    /// The version of its package.
    pub version: String,
    /// The description of its package.
    #[serde(default)]
    pub description: String,
    /// Its backends.
    #[serde(default)]
    pub backends: Vec<BackendInfo>,
    /// Its key manglers.
    #[serde(default)]
    pub manglers: Vec<ManglerInfo>,
    /// Its proxies.
    #[serde(default)]
    pub proxies: Vec<ProxyInfo>,
    /// Its template caches.
    #[serde(default)]
    pub template_caches: Vec<TemplateCacheInfo>,
}

/// What a plugin says of one of its backends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackendInfo {
    /// The name by which a region's `backend` names it.
    pub name: String,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// What a plugin says of one of its key manglers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManglerInfo {
    /// The name by which a region's `key_mangler` names it.
    pub name: String,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// What a plugin says of one of its proxies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProxyInfo {
    /// The name by which a region's `proxies` name it.
    pub name: String,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// What a plugin says of one of its template caches.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TemplateCacheInfo {
    /// The name by which `plugin` in `[templates]` names it.
    pub name: String,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

impl Plugin {
    /// A plugin from its table.
    ///
    /// # Safety
    ///
    /// The table is one of this epoch, its layout was found compatible, and its functions keep to their contract.
    pub const unsafe fn from_table(table: PluginTableRef) -> Self {
        Self(Code::Table(table))
    }

    /// A plugin of one backend of the program's own, which exports nothing. It takes the backend's name, and is kept
    /// for the life of the process.
    pub fn of_backend<B: Backend>(name: &'static str) -> Self {
        Self(Code::Registered(Box::leak(Box::new([
            Registration::backend::<B>(name),
        ]))))
    }

    /// A plugin of one proxy of the program's own, as [`Plugin::of_backend`] is of a backend.
    pub fn of_proxy<P: Proxy>(name: &'static str) -> Self {
        Self(Code::Registered(Box::leak(Box::new([
            Registration::proxy::<P>(name),
        ]))))
    }

    /// A plugin of one template cache of the program's own, as [`Plugin::of_backend`] is of a backend.
    pub fn of_template_cache<T: TemplateCache>(name: &'static str) -> Self {
        Self(Code::Registered(Box::leak(Box::new([
            Registration::template_cache::<T>(name),
        ]))))
    }

    /// What it says of itself.
    pub fn describe(&self) -> Result<PluginInfo> {
        let answer = match self.0 {
            Code::Table(table) => (table.describe())(),
            Code::Registered(registered) => describe(registered[0].name(), "", "", registered),
        };
        // SAFETY: by the contract of `from_table`, as in all methods.
        let json = unsafe { answer.take_text("describe")? };
        let json = json.ok_or_else(|| breach("describe", "with nothing"))?;
        serde_json::from_str(&json)
            .map_err(|error| breach("describe", &format!("with what is no description: {error}")))
    }

    /// Leads its logs and panics to the host. Called once, before anything is opened.
    pub fn start(&self, host: &RawHost) -> Result<()> {
        match self.0 {
            // SAFETY: as in `describe`.
            Code::Table(table) => unsafe { (table.start())(host).take_nothing("start") },
            // It is part of the program, whose dispatcher it shares.
            Code::Registered(_) => Ok(()),
        }
    }

    /// Opens a backend; `arguments` are a JSON object.
    pub fn open_backend(
        &self,
        name: &str,
        arguments: &str,
        host: &RawHost,
    ) -> Result<BackendInstance> {
        let mut given = ROption::RNone;
        let (name, arguments) = (name.into(), arguments.into());
        let answer = match self.0 {
            Code::Table(table) => (table.open_backend())(name, arguments, host, &mut given),
            Code::Registered(registered) => {
                open_backend(registered, name, arguments, host, &mut given)
            }
        };
        // SAFETY: as in `describe`.
        unsafe { answer.take_nothing("open")? };
        match given {
            // SAFETY: the plugin gave it to this call alone.
            ROption::RSome(raw) => unsafe { BackendInstance::new(raw) },
            ROption::RNone => Err(breach("open", "with no backend")),
        }
    }

    /// Opens a key mangler; `arguments` are a JSON object.
    pub fn open_mangler(
        &self,
        name: &str,
        arguments: &str,
        host: &RawHost,
    ) -> Result<ManglerInstance> {
        let mut given = ROption::RNone;
        let (name, arguments) = (name.into(), arguments.into());
        let answer = match self.0 {
            Code::Table(table) => (table.open_mangler())(name, arguments, host, &mut given),
            Code::Registered(registered) => {
                open_mangler(registered, name, arguments, host, &mut given)
            }
        };
        // SAFETY: as in `describe`.
        unsafe { answer.take_nothing("open")? };
        match given {
            // SAFETY: the plugin gave it to this call alone.
            ROption::RSome(raw) => Ok(unsafe { ManglerInstance::new(raw) }),
            ROption::RNone => Err(breach("open", "with no key mangler")),
        }
    }

    /// Opens a template cache; `arguments` are a JSON object.
    pub fn open_template_cache(
        &self,
        name: &str,
        arguments: &str,
        host: &RawHost,
    ) -> Result<TemplateCacheInstance> {
        let mut given = ROption::RNone;
        let (name, arguments) = (name.into(), arguments.into());
        let answer = match self.0 {
            Code::Table(table) => (table.open_template_cache())(name, arguments, host, &mut given),
            Code::Registered(registered) => {
                open_template_cache(registered, name, arguments, host, &mut given)
            }
        };
        // SAFETY: as in `describe`.
        unsafe { answer.take_nothing("open")? };
        match given {
            // SAFETY: the plugin gave it to this call alone.
            ROption::RSome(raw) => unsafe { TemplateCacheInstance::new(raw) },
            ROption::RNone => Err(breach("open", "with no template cache")),
        }
    }

    /// Opens a proxy around `inner`; `arguments` are a JSON object. The proxy owns it, and drops it with itself or if it
    /// does not open, but never closes it.
    pub fn open_proxy(
        &self,
        name: &str,
        arguments: &str,
        host: &RawHost,
        inner: impl AnyBackend,
    ) -> Result<BackendInstance> {
        let mut given = ROption::RNone;
        let (name, arguments, inner) = (name.into(), arguments.into(), give(inner));
        let answer = match self.0 {
            Code::Table(table) => (table.open_proxy())(name, arguments, host, inner, &mut given),
            Code::Registered(registered) => {
                open_proxy(registered, name, arguments, host, inner, &mut given)
            }
        };
        // SAFETY: as in `describe`.
        unsafe { answer.take_nothing("open")? };
        match given {
            // SAFETY: the plugin gave it to this call alone.
            ROption::RSome(raw) => unsafe { BackendInstance::new(raw) },
            ROption::RNone => Err(breach("open", "with no proxy")),
        }
    }
}
