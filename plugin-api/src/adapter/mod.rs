//! Both sides of the boundary: what turns a plugin's traits into tables, and what turns tables back into safe calls.

mod any;
mod barrier;
mod failed_drop;
mod instance;
mod logging;
mod mangler;
mod mutex;
mod plugin;
mod provide;
mod table;
mod template_cache;

pub(crate) use self::any::Unhosted;
pub use self::any::{AnyBackend, Proxied};
pub use self::instance::{BackendInstance, Properties};
pub use self::mangler::ManglerInstance;
pub use self::plugin::{
    BackendInfo, ManglerInfo, Plugin, PluginInfo, ProxyInfo, TemplateCacheInfo,
};
#[doc(hidden)]
pub use self::provide::{
    Registration, describe, open_backend, open_mangler, open_proxy, open_template_cache, start,
};
pub use self::template_cache::TemplateCacheInstance;
