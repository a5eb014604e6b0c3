//! An open key mangler, and whose it is.

use std::fmt;
use std::sync::Arc;

use dogpile_plugin_api::{Error, ManglerInstance, Result};
use serde_json::{Map, Value};

use crate::plugins::PluginEntry;
use crate::secrets::without_secrets;

/// An open key mangler.
pub(crate) struct Mangler {
    pub(crate) instance: ManglerInstance,
    pub(crate) plugin: Arc<PluginEntry>,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

impl Mangler {
    pub(crate) fn mangle(&self, key: &str) -> Result<String> {
        self.instance.mangle(key)
    }

    /// An error of it, as it may be shown.
    pub(crate) fn without_secrets(&self, error: Error) -> Error {
        let none = Map::new();
        let arguments = self.arguments.as_object().unwrap_or(&none);
        error.map_messages(|text| without_secrets(text, arguments))
    }

    /// Whether both make the same of every key.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.plugin.same_code(&other.plugin)
            && self.name == other.name
            && self.arguments == other.arguments
    }
}

/// For errors: its name, and its plugin.
impl fmt::Display for Mangler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key mangler `{}` of {}", self.name, self.plugin)
    }
}
