//! The plugin's side: what it registers, described and opened by name.

use abi_stable::std_types::{ROption, RStr};

use super::any::{OfBackend, OfProxy, Proxied};
use super::barrier::{answer, done};
use super::plugin::{BackendInfo, ManglerInfo, PluginInfo, ProxyInfo, TemplateCacheInfo};
use super::table::give;
use super::{BackendInstance, logging, mangler, template_cache};
use crate::abi::{RawBackend, RawHost, RawMangler, RawTemplateCache, RawValue};
use crate::{
    Backend, Error, ErrorKind, HostContext, KeyMangler, Proxy, Result, TemplateCache, Value,
    arguments,
};

/// What a plugin registers, in the order of its `export_plugin!`. Made by that macro.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Registration {
    Backend {
        name: &'static str,
        open: OpenBackend,
        schema: fn() -> String,
    },
    Mangler {
        name: &'static str,
        open: OpenMangler,
        schema: fn() -> String,
    },
    Proxy {
        name: &'static str,
        open: OpenProxy,
        schema: fn() -> String,
    },
    TemplateCache {
        name: &'static str,
        open: OpenTemplateCache,
        schema: fn() -> String,
    },
}

type OpenBackend = fn(&str, HostContext) -> Result<RawBackend>;
type OpenMangler = fn(&str, HostContext) -> Result<RawMangler>;
type OpenProxy = fn(&str, Proxied, HostContext) -> Result<RawBackend>;
type OpenTemplateCache = fn(&str, HostContext) -> Result<RawTemplateCache>;

impl Registration {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Backend { name, .. }
            | Self::Mangler { name, .. }
            | Self::Proxy { name, .. }
            | Self::TemplateCache { name, .. } => name,
        }
    }

    pub const fn backend<B: Backend>(name: &'static str) -> Self {
        Self::Backend {
            name,
            open: |json, host| Ok(give(OfBackend(B::open(arguments::parse(json)?, &host)?))),
            schema: arguments::schema::<B::Arguments>,
        }
    }

    pub const fn mangler<M: KeyMangler>(name: &'static str) -> Self {
        Self::Mangler {
            name,
            open: mangler::open::<M>,
            schema: arguments::schema::<M::Arguments>,
        }
    }

    pub const fn proxy<P: Proxy>(name: &'static str) -> Self {
        Self::Proxy {
            name,
            open: |json, proxied, host| {
                let proxy = P::open(arguments::parse(json)?, proxied, &host)?;
                Ok(give(OfProxy(proxy)))
            },
            schema: arguments::schema::<P::Arguments>,
        }
    }

    pub const fn template_cache<T: TemplateCache>(name: &'static str) -> Self {
        Self::TemplateCache {
            name,
            open: template_cache::open::<T>,
            schema: arguments::schema::<T::Arguments>,
        }
    }
}

/// The body of [`crate::abi::PluginTable::describe`].
#[doc(hidden)]
pub fn describe(
    package: &str,
    version: &str,
    description: &str,
    registered: &[Registration],
) -> RawValue {
    answer("describe", || {
        let mut info = PluginInfo {
            package: package.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            backends: Vec::new(),
            manglers: Vec::new(),
            proxies: Vec::new(),
            template_caches: Vec::new(),
        };
        for registration in registered {
            let schema =
                |schema: &fn() -> String| serde_json::from_str(&schema()).unwrap_or_default();
            match registration {
                Registration::Backend {
                    name, schema: of, ..
                } => {
                    info.backends.push(BackendInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
                Registration::Mangler {
                    name, schema: of, ..
                } => {
                    info.manglers.push(ManglerInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
                Registration::Proxy {
                    name, schema: of, ..
                } => {
                    info.proxies.push(ProxyInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
                Registration::TemplateCache {
                    name, schema: of, ..
                } => {
                    info.template_caches.push(TemplateCacheInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
            }
        }
        let json =
            serde_json::to_vec(&info).map_err(|error| Error::new(ErrorKind::Other, error))?;
        Ok(Some(Value::from(json)))
    })
}

/// The body of [`crate::abi::PluginTable::start`].
#[doc(hidden)]
pub fn start(host: &RawHost) -> RawValue {
    done("start", || {
        logging::lead_to(host);
        Ok(())
    })
}

/// The body of [`crate::abi::PluginTable::open_backend`].
#[doc(hidden)]
pub fn open_backend(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    backend: &mut ROption<RawBackend>,
) -> RawValue {
    done("open", || {
        for registration in registered {
            if let Registration::Backend {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                *backend = ROption::RSome(open(arguments.as_str(), HostContext::new(*host))?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no backend `{name}`"
        )))
    })
}

/// The body of [`crate::abi::PluginTable::open_mangler`].
#[doc(hidden)]
pub fn open_mangler(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    mangler: &mut ROption<RawMangler>,
) -> RawValue {
    done("open", || {
        for registration in registered {
            if let Registration::Mangler {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                *mangler = ROption::RSome(open(arguments.as_str(), HostContext::new(*host))?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no key mangler `{name}`"
        )))
    })
}

/// The body of [`crate::abi::PluginTable::open_proxy`].
#[doc(hidden)]
pub fn open_proxy(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    inner: RawBackend,
    proxy: &mut ROption<RawBackend>,
) -> RawValue {
    done("open", || {
        // Taken over before anything can fail, so that it is destroyed if something does.
        // SAFETY: the host gave it to this call alone.
        let proxied = Proxied::new(unsafe { BackendInstance::new(inner) }?);
        for registration in registered {
            if let Registration::Proxy {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                let host = HostContext::new(*host);
                *proxy = ROption::RSome(open(arguments.as_str(), proxied, host)?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no proxy `{name}`"
        )))
    })
}

/// The body of [`crate::abi::PluginTable::open_template_cache`].
#[doc(hidden)]
pub fn open_template_cache(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    cache: &mut ROption<RawTemplateCache>,
) -> RawValue {
    done("open", || {
        for registration in registered {
            if let Registration::TemplateCache {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                *cache = ROption::RSome(open(arguments.as_str(), HostContext::new(*host))?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no template cache `{name}`"
        )))
    })
}
