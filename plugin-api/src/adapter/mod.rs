//! Both sides of the boundary: what turns a plugin's traits into tables, and what turns tables back into safe calls.

mod any;
mod barrier;
mod instance;
mod logging;
mod mangler;
mod mutex;
mod plugin;
mod provide;
mod table;

pub(crate) use self::any::Unhosted;
pub use self::any::{AnyBackend, Proxied};
pub use self::instance::{BackendInstance, Properties};
pub use self::mangler::ManglerInstance;
pub use self::plugin::{BackendInfo, ManglerInfo, Plugin, PluginInfo, ProxyInfo};
#[doc(hidden)]
pub use self::provide::{Registration, describe, open_backend, open_mangler, open_proxy, start};
