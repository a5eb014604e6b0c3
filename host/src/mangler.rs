//! An open key mangler, and whose it is.

use std::fmt;
use std::sync::Arc;

use dogpile_plugin_api::{ManglerInstance, Result};

use crate::plugins::PluginEntry;

/// An open key mangler.
pub(crate) struct Mangler {
    pub(crate) instance: ManglerInstance,
    pub(crate) plugin: Arc<PluginEntry>,
    pub(crate) name: String,
}

impl Mangler {
    pub(crate) fn mangle(&self, key: &str) -> Result<String> {
        self.instance.mangle(key)
    }
}

/// For errors: its name, and its plugin.
impl fmt::Display for Mangler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key mangler `{}` of {}", self.name, self.plugin)
    }
}
