//! Both sides of the boundary: what turns a plugin's traits into tables, and what turns tables back into safe calls.

mod barrier;
mod instance;
mod logging;
mod mangler;
mod mutex;
mod plugin;
mod provide;

pub use self::instance::{BackendInstance, Properties};
pub use self::mangler::ManglerInstance;
pub use self::plugin::{BackendInfo, ManglerInfo, Plugin, PluginInfo};
#[doc(hidden)]
pub use self::provide::{Registration, describe, open_backend, open_mangler, start};
