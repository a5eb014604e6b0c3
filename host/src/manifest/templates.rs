//! `[templates]`: which plugin decides what of the program's templates is cached.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::read::{Reader, Table};
use super::region::{below, offer};
use super::shown::{WithoutText, masked_table};
use super::tables::TEMPLATES;

const PLUGIN: &str = "name a template cache, as in plugin = \"template-cache\", or \"plugin/name\" when two plugins offer \
                      the same";

/// `[templates]`.
///
/// Two are equal if they mean the same, wherever their values came from. `Debug` shows no text of any argument.
#[derive(Clone)]
pub struct TemplatesConfig {
    /// The name of the template cache, or `plugin/name` where two plugins offer the same.
    pub plugin: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// Values that were interpolated, by their path in the table, as they may be shown.
    masked: BTreeMap<Vec<String>, String>,
}

impl TemplatesConfig {
    /// A template cache without arguments.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self {
            plugin: plugin.into(),
            arguments: Map::new(),
            masked: BTreeMap::new(),
        }
    }

    /// With one of its arguments.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }

    /// Whether the value at a path in the table is what an interpolation gave.
    pub(crate) fn is_interpolated(&self, path: &[String]) -> bool {
        self.masked.contains_key(path)
    }

    /// The table as the manifest could write it; secrets are `***`.
    pub(super) fn masked_value(&self) -> Value {
        let mut table = Map::from_iter([("plugin".to_owned(), self.plugin.clone().into())]);
        if !self.arguments.is_empty() {
            let mut path = vec!["arguments".to_owned()];
            let arguments = masked_table(&self.masked, &self.arguments, &mut path);
            table.insert("arguments".to_owned(), arguments);
        }
        Value::Object(table)
    }
}

impl PartialEq for TemplatesConfig {
    fn eq(&self, other: &Self) -> bool {
        self.plugin == other.plugin && self.arguments == other.arguments
    }
}

impl fmt::Debug for TemplatesConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = Value::Object(self.arguments.clone());
        f.debug_struct("TemplatesConfig")
            .field("plugin", &self.plugin)
            .field("arguments", &WithoutText(&arguments))
            .finish_non_exhaustive()
    }
}

impl Reader<'_, '_> {
    /// Reads `[templates]`, if it is there and names a template cache. What is wrong is noted.
    pub(super) fn templates(&mut self, root: &mut Table<'_>) -> Option<TemplatesConfig> {
        let item = root.take("templates")?;
        let mut table = self.table(&item, "write [templates]")?;
        let plugin = self.template_cache(&mut table);
        let arguments = table.take("arguments").and_then(|item| {
            self.json_table(&item, "write [templates.arguments], or { key = value }")
        });
        self.refuse_rest(&table, &TEMPLATES);
        let masked = below(self.masked, &table.path);
        Some(TemplatesConfig {
            plugin: plugin?,
            arguments: arguments.unwrap_or_default(),
            masked: masked
                .map(|(path, shown)| (path.to_vec(), shown.clone()))
                .collect(),
        })
    }
    fn template_cache(&mut self, table: &mut Table<'_>) -> Option<String> {
        let Some(item) = table.take("plugin") else {
            let message = format!("{} has no `plugin`", table.title());
            self.missing(table.header.clone(), message, PLUGIN);
            return None;
        };
        let text = self.text(&item, PLUGIN)?;
        if offer(&text.value).is_none() {
            let message = format!("\"{}\" does not name a template cache", text.shown);
            self.error(item.span(), message, PLUGIN);
            return None;
        }
        Some(text.value)
    }
}
