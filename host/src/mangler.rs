//! An open key mangler, and whose it is.

use std::fmt;
use std::sync::Arc;

use dogpile_plugin_api::{Error, ManglerInstance, Result};

use crate::blame;
use crate::instance::{Arguments, Recipe};
use crate::plugins::PluginEntry;
use crate::secrets::without_secrets;

/// An open key mangler.
pub(crate) struct Mangler {
    instance: ManglerInstance,
    plugin: Arc<PluginEntry>,
    name: String,
    arguments: Arc<Arguments>,
}

impl Mangler {
    /// What was opened from that recipe.
    pub(crate) fn new(mut instance: ManglerInstance, recipe: &Recipe<'_>) -> Self {
        let title = title(recipe.name, recipe.plugin);
        let arguments = Arc::clone(&recipe.arguments);
        instance.on_failed_drop(move |error| blame::failed_drop(&title, &arguments, error));
        Self {
            instance,
            plugin: Arc::clone(recipe.plugin),
            name: recipe.name.to_owned(),
            arguments: Arc::clone(&recipe.arguments),
        }
    }

    pub(crate) fn mangle(&self, key: &str) -> Result<String> {
        self.instance.mangle(key)
    }

    /// An error of it, as it may be shown.
    pub(crate) fn without_secrets(&self, error: Error) -> Error {
        error.map_messages(|text| without_secrets(text, &self.arguments))
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
        f.write_str(&title(&self.name, &self.plugin))
    }
}

fn title(name: &str, plugin: &PluginEntry) -> String {
    format!("key mangler `{name}` of {plugin}")
}
