use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::check::is_name;
use super::keys::{MANGLER, REGION};
use super::model::{
    BackendRef, KeyManglers, ManglerConfig, MaxStale, OnBackendError, RegionConfig, Serializer,
};
use super::read::{Item, Reader, Table};

const MANGLERS: &str = "write [\"sha1\"], [{ mangler = \"length\", arguments = { max = 250 } }], or \
                        false for none, not even the backend's own";

impl Reader<'_, '_> {
    /// Reads `[regions.NAME]`. What is wrong is noted, and its default taken.
    pub(super) fn region(&mut self, name: &str, mut table: Table<'_>) -> RegionConfig {
        let backend = self.backend(&mut table);
        let mut region = RegionConfig::new(name, backend);
        self.freshness(&mut table, &mut region);
        if let Some(item) = table.take("key_prefix")
            && let Some(text) = self.text(&item, "write a string, as in \"myapp:\"")
        {
            region.key_prefix = text.value;
        }
        if let Some(item) = table.take("key_mangler") {
            region.key_mangler = self.key_mangler(&item);
        }
        if let Some(item) = table.take("serializer") {
            region.serializer = self.serializer(&item);
        }
        if let Some(item) = table.take("value_version") {
            region.value_version = self.natural(&item).unwrap_or(0);
        }
        if let Some(item) = table.take("on_backend_error")
            && let Some("fail") = self.word(&item, &["bypass", "fail"], &[])
        {
            region.on_backend_error = OnBackendError::Fail;
        }
        if let Some(item) = table.take("shares_keys") {
            region.shares_keys = self.boolean(&item).unwrap_or(false);
        }
        if let Some(item) = table.take("invalidation") {
            self.word(&item, &["local"], &["shared"]);
        }
        let lock_wait = table.take("lock_wait");
        if let Some(item) = &lock_wait {
            region.lock_wait = self.limit(item);
        }
        if let Some(item) = table.take("arguments") {
            self.arguments(&item, lock_wait.as_ref(), &mut region);
        }
        self.refuse_rest(&table, &REGION);
        region.masked = self
            .masked
            .range(table.path.clone()..)
            .map_while(|(path, shown)| {
                let rest = path.strip_prefix(table.path.as_slice())?;
                Some((rest.to_vec(), shown.clone()))
            })
            .collect();
        region
    }

    fn backend(&mut self, table: &mut Table<'_>) -> BackendRef {
        let unknown = || BackendRef {
            plugin: None,
            name: String::new(),
        };
        let Some(item) = table.take("backend") else {
            self.missing(
                table.header.clone(),
                format!("{} has no `backend`", table.title()),
                "name one, as in backend = \"memory\"",
            );
            return unknown();
        };
        let remedy = "write a name, as in \"redis\", or \"redis/redis_cluster\" when two plugins \
                      offer the same";
        let Some(text) = self.text(&item, remedy) else {
            return unknown();
        };
        let (plugin, name) = match text.value.split_once('/') {
            Some((plugin, name)) => (Some(plugin), name),
            None => (None, text.value.as_str()),
        };
        let usable = |name: &str| {
            !name.is_empty()
                && !name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
        };
        if !usable(name) || !plugin.is_none_or(is_name) {
            self.error(
                item.span(),
                format!("\"{}\" does not name a backend", text.shown),
                remedy,
            );
            return unknown();
        }
        BackendRef {
            plugin: plugin.map(Into::into),
            name: name.into(),
        }
    }

    fn freshness(&mut self, table: &mut Table<'_>, region: &mut RegionConfig) {
        match table.take("expiration_time") {
            Some(item) => region.expiration_time = self.limit(&item),
            None => self.warning(
                table.header.clone(),
                format!(
                    "{} has no `expiration_time`: its values never expire",
                    table.title()
                ),
                "set it, or write expiration_time = \"never\" to say that this is meant",
            ),
        }
        region.max_stale = region
            .expiration_time
            .map_or(MaxStale::Forever, MaxStale::For);
        if let Some(item) = table.take("max_stale") {
            let forever =
                matches!(item.value.get_ref(), DeValue::String(text) if text == "forever");
            region.max_stale = if forever {
                MaxStale::Forever
            } else {
                let limit = self.limit(&item);
                MaxStale::For(limit.unwrap_or(Duration::ZERO))
            };
        }
    }

    fn serializer(&mut self, item: &Item<'_>) -> Serializer {
        self.word(item, &["json"], &["messagepack", "raw"]);
        Serializer::Json
    }

    fn key_mangler(&mut self, item: &Item<'_>) -> KeyManglers {
        match item.value.get_ref() {
            DeValue::Boolean(false) => return KeyManglers::Off,
            DeValue::Array(items) if !items.is_empty() => {}
            DeValue::String(_) | DeValue::Table(_) => {
                return self
                    .mangler(item)
                    .map_or(KeyManglers::Backend, |one| KeyManglers::Named(vec![one]));
            }
            other => {
                let found = match other {
                    DeValue::Array(_) => "an empty array".into(),
                    DeValue::Boolean(_) => "true".into(),
                    other => format!("of type {}", other.type_str()),
                };
                self.error(
                    item.span(),
                    format!("`key_mangler` cannot be {found}"),
                    MANGLERS,
                );
                return KeyManglers::Backend;
            }
        }
        let items = self.array(item, MANGLERS).unwrap_or_default();
        KeyManglers::Named(items.iter().filter_map(|item| self.mangler(item)).collect())
    }

    fn mangler(&mut self, item: &Item<'_>) -> Option<ManglerConfig> {
        let mut arguments = Map::new();
        let name = if let DeValue::Table(_) = item.value.get_ref() {
            let mut table = self.table(item, MANGLERS)?;
            if let Some(item) = table.take("arguments") {
                arguments = self
                    .json_table(&item, "write a table, as in { max = 250 }")
                    .unwrap_or_default();
            }
            let name = table.take("mangler");
            self.refuse_rest(&table, &MANGLER);
            if name.is_none() {
                self.missing(item.span(), "this key mangler has no name", MANGLERS);
            }
            name?
        } else {
            item.clone()
        };
        let text = self.text(&name, MANGLERS)?;
        if text.value.is_empty() {
            self.error(
                name.span(),
                "a key mangler's name cannot be empty",
                MANGLERS,
            );
            return None;
        }
        Some(ManglerConfig {
            name: text.value,
            arguments: Value::Object(arguments),
        })
    }

    /// Takes dogpile's lock arguments out: they are the host's, whatever the backend.
    fn arguments(
        &mut self,
        item: &Item<'_>,
        lock_wait: Option<&Item<'_>>,
        region: &mut RegionConfig,
    ) {
        let Some(mut table) =
            self.table(item, "write [regions.NAME.arguments], or { key = value }")
        else {
            return;
        };
        if let Some(item) = table.take("lock_timeout") {
            self.not_supported_yet(&item, "`lock_timeout`");
        }
        if let Some(item) = table.take("lock_blocking_timeout") {
            if let Some(first) = lock_wait {
                let first = self.source.display(first.key_span.start);
                self.error(
                    item.key_span.clone(),
                    format!(
                        "`lock_blocking_timeout` is another name of `lock_wait`, which is given at \
                         {first}"
                    ),
                    "remove one of them",
                );
            }
            region.lock_wait = self.limit(&item);
        }
        region.arguments = self.json_rest(&table);
    }
}
