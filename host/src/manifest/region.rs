use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::check::is_name;
use super::keys::Keys;
use super::model::{
    BackendRef, InvalidationScope, KeyManglers, ManglerConfig, MaxStale, OnBackendError,
    ProxyConfig, RegionConfig,
};
use super::read::{Item, Reader, Table};
use super::tables::{MANGLER, PROXY, REGION};
use crate::serializer::SerializerKind;

const MANGLERS: &str = "write [\"sha1\"], [{ mangler = \"length\", arguments = { max = 250 } }], or \
                        false for none, not even the backend's own";

/// A lease is renewed each third of it, over a network.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);
const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// A thread that has to wait for a processor is not one that hangs.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(10);

const PROXIES: &str =
    "write [\"zstd\"], or [{ proxy = \"log\", arguments = { level = \"debug\" } }]";

/// What is known of the paths below `path`, by the rest of each.
pub(super) fn below<'m, V>(
    known: &'m BTreeMap<Vec<String>, V>,
    path: &'m [String],
) -> impl Iterator<Item = (&'m [String], &'m V)> {
    known
        .range(path.to_vec()..)
        .map_while(|(found, value)| Some((found.strip_prefix(path)?, value)))
}

/// A path in a region as if it had been written in full: `wrap` is `proxies`, and what stands alone is a list of one.
fn effective(path: &[String]) -> Vec<String> {
    let mut path = path.to_vec();
    let Some(first) = path.first_mut() else {
        return path;
    };
    if first == "wrap" {
        "proxies".clone_into(first);
    }
    let is_list = first == "proxies" || first == "key_mangler";
    let is_element = |next: &String| next.bytes().all(|byte| byte.is_ascii_digit());
    if is_list && path.get(1).is_some_and(|next| !is_element(next)) {
        path.insert(1, String::from("0"));
    }
    path
}

/// What a region names in lists, with arguments.
struct Part {
    what: &'static str,
    key: &'static str,
    keys: &'static Keys,
    /// Arguments that it may have.
    arguments: &'static str,
    remedy: &'static str,
}

const A_MANGLER: Part = Part {
    what: "key mangler",
    key: "mangler",
    keys: &MANGLER,
    arguments: "{ max = 250 }",
    remedy: MANGLERS,
};

const A_PROXY: Part = Part {
    what: "proxy",
    key: "proxy",
    keys: &PROXY,
    arguments: "{ level = \"debug\" }",
    remedy: PROXIES,
};

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
        region.proxies = self.proxies(&mut table);
        if let Some(item) = table.take("serializer") {
            region.serializer = self.serializer(&item).unwrap_or(SerializerKind::Json);
        }
        if let Some(item) = table.take("value_version") {
            region.value_version = self.natural(&item).unwrap_or(0);
        }
        if let Some(item) = table.take("replace_foreign") {
            region.replace_foreign = self.boolean(&item).unwrap_or(false);
        }
        if let Some(item) = table.take("on_backend_error")
            && let Some("fail") = self.word(&item, &["bypass", "fail"], &[])
        {
            region.on_backend_error = OnBackendError::Fail;
        }
        if let Some(item) = table.take("shares_keys") {
            region.shares_keys = self.boolean(&item).unwrap_or(false);
        }
        if let Some(item) = table.take("require_healthy") {
            region.require_healthy = self.boolean(&item);
        }
        if let Some(item) = table.take("invalidation") {
            region.invalidation = match self.word(&item, &["local", "shared"], &[]) {
                Some("local") => Some(InvalidationScope::Local),
                Some("shared") => Some(InvalidationScope::Shared),
                _ => None,
            };
        }
        if let Some(item) = table.take("invalidation_interval")
            && let Some(interval) = self.interval(&item)
        {
            region.invalidation_interval = interval;
        }
        self.refreshes(&mut table, &mut region);
        if let Some(item) = table.take("hang_after") {
            region.hang_after = self.patience(&item);
        }
        if let Some(item) = table.take("call_timeout") {
            region.call_timeout = self.patience(&item);
        }
        let lock_wait = table.take("lock_wait");
        if let Some(item) = &lock_wait {
            region.lock_wait = self.limit(item);
        }
        let lock_timeout = table.take("lock_timeout");
        if let Some(item) = &lock_timeout {
            region.lock_timeout = self.lease(item);
        }
        if let Some(item) = table.take("arguments") {
            let given = (lock_wait.as_ref(), lock_timeout.as_ref());
            self.arguments(&item, given, &mut region);
        }
        self.refuse_rest(&table, &REGION);
        region.masked = below(self.masked, &table.path)
            .map(|(rest, shown)| (effective(rest), shown.clone()))
            .collect();
        let places: Vec<_> = below(self.places, &table.path)
            .map(|(rest, place)| ([&table.path, &*effective(rest)].concat(), place.clone()))
            .collect();
        for (path, place) in places {
            self.places.entry(path).or_insert(place);
        }
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
        let Some((plugin, name)) = offer(&text.value) else {
            self.error(
                item.span(),
                format!("\"{}\" does not name a backend", text.shown),
                remedy,
            );
            return unknown();
        };
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
        if let Some(item) = table.take("stale_if_error") {
            region.stale_if_error = self.limit(&item).unwrap_or(Duration::ZERO);
        }
        if let Some(item) = table.take("retry_after") {
            region.retry_after = self.limit(&item).unwrap_or(Duration::ZERO);
        }
        if let Some(item) = table.take("bypass_hold") {
            region.bypass_hold = self.limit(&item).unwrap_or(Duration::ZERO);
        }
        if let Some(item) = table.take("max_stale") {
            region.max_stale = Some(if self.is_word(&item, "forever") {
                MaxStale::Forever
            } else {
                let limit = self.limit(&item);
                MaxStale::For(limit.unwrap_or(Duration::ZERO))
            });
        }
    }

    /// How values are created anew ahead of their callers.
    fn refreshes(&mut self, table: &mut Table<'_>, region: &mut RegionConfig) {
        if let Some(item) = table.take("background_refresh") {
            region.background_refresh = self.boolean(&item).unwrap_or(false);
        }
        if let Some(item) = table.take("early_refresh") {
            region.early_refresh = match item.value.get_ref() {
                DeValue::Boolean(false) => None,
                _ => self.share(
                    &item,
                    "write a share of the expiration time from 0 to 1, such as 0.8, or false",
                ),
            };
        }
        if let Some(item) = table.take("jitter") {
            let share = self.share(
                &item,
                "write a share of the expiration time from 0 to 1, such as 0.1",
            );
            region.jitter = share.unwrap_or(0.0);
        }
    }

    /// The length of a lease: a holder that dies must be followed some time, and one that lives must be able to renew.
    fn lease(&mut self, item: &Item<'_>) -> Duration {
        let found = self.findings.len();
        match self.limit(item) {
            Some(lease) if lease >= SHORTEST_LEASE => return lease,
            // It is wrong in another way, and said so.
            None if self.findings.len() > found => {}
            _ => self.error(
                item.span(),
                format!("`{}` must be a time of at least {SHORTEST_LEASE:?}", item.key),
                "write how long a creator that died keeps its key: it is renewed while one lives, so \"30s\" is \
                 enough for creations of any length",
            ),
        }
        DEFAULT_LEASE
    }

    /// How long calls of a backend may take: some time, or for ever.
    fn patience(&mut self, item: &Item<'_>) -> Option<Duration> {
        let limit = self.limit(item)?;
        if limit < SHORTEST_PATIENCE {
            self.error(
                item.span(),
                format!("`{}` must be at least {SHORTEST_PATIENCE:?}", item.key),
                "write how long a call of a healthy backend may take, such as \"2s\", or \"never\" to switch it off",
            );
            return None;
        }
        Some(limit)
    }

    fn serializer(&mut self, item: &Item<'_>) -> Option<SerializerKind> {
        let names = SerializerKind::ALL.map(SerializerKind::name);
        let name = self.word(item, &names, &[])?;
        SerializerKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
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
        let (name, arguments) = self.part(item, &A_MANGLER)?;
        let arguments = Value::Object(arguments);
        Some(ManglerConfig { name, arguments })
    }

    /// `proxies`, or `wrap` as dogpile calls it; both would be two lists for one thing.
    fn proxies(&mut self, table: &mut Table<'_>) -> Vec<ProxyConfig> {
        let (proxies, wrap) = (table.take("proxies"), table.take("wrap"));
        if let (Some(first), Some(second)) = (&proxies, &wrap) {
            let first = self.source.display(first.key_span.start);
            self.error(
                second.key_span.clone(),
                format!("`wrap` is another name of `proxies`, which is given at {first}"),
                "remove one of them",
            );
        }
        let Some(item) = proxies.or(wrap) else {
            return Vec::new();
        };
        let items = match item.value.get_ref() {
            DeValue::Array(_) => self.array(&item, PROXIES).unwrap_or_default(),
            DeValue::String(_) | DeValue::Table(_) => vec![item],
            other => {
                let found = other.type_str();
                self.error(
                    item.span(),
                    format!("`{}` cannot be of type {found}", item.key),
                    PROXIES,
                );
                return Vec::new();
            }
        };
        let proxy = |item: &Item<'_>| {
            let (name, arguments) = self.part(item, &A_PROXY)?;
            Some(ProxyConfig { name, arguments })
        };
        items.iter().filter_map(proxy).collect()
    }

    /// A name, or a table of a name and arguments.
    fn part(&mut self, item: &Item<'_>, kind: &Part) -> Option<(String, Map<String, Value>)> {
        let mut arguments = Map::new();
        let name = if let DeValue::Table(_) = item.value.get_ref() {
            let mut table = self.table(item, kind.remedy)?;
            if let Some(item) = table.take("arguments") {
                let remedy = format!("write a table, as in {}", kind.arguments);
                arguments = self.json_table(&item, &remedy).unwrap_or_default();
            }
            let name = table.take(kind.key);
            self.refuse_rest(&table, kind.keys);
            if name.is_none() {
                let message = format!("this {} has no name", kind.what);
                self.missing(item.span(), message, kind.remedy);
            }
            name?
        } else {
            item.clone()
        };
        let text = self.text(&name, kind.remedy)?;
        if offer(&text.value).is_none() {
            let message = format!("\"{}\" does not name a {}", text.shown, kind.what);
            self.error(name.span(), message, kind.remedy);
            return None;
        }
        Some((text.value, arguments))
    }

    /// Takes dogpile's lock arguments out: they are the host's, whatever the backend.
    fn arguments(
        &mut self,
        item: &Item<'_>,
        (lock_wait, lock_timeout): (Option<&Item<'_>>, Option<&Item<'_>>),
        region: &mut RegionConfig,
    ) {
        let Some(mut table) =
            self.table(item, "write [regions.NAME.arguments], or { key = value }")
        else {
            return;
        };
        if let Some(item) = table.take("lock_timeout") {
            self.given_once(&item, "is also a key of the region", lock_timeout);
            region.lock_timeout = self.lease(&item);
        }
        if let Some(item) = table.take("lock_blocking_timeout") {
            self.given_once(&item, "is another name of `lock_wait`", lock_wait);
            region.lock_wait = self.limit(&item);
        }
        region.arguments = self.json_rest(&table);
    }

    fn given_once(&mut self, item: &Item<'_>, what: &str, first: Option<&Item<'_>>) {
        let Some(first) = first else {
            return;
        };
        let first = self.source.display(first.key_span.start);
        self.error(
            item.key_span.clone(),
            format!("`{}` {what}, which is given at {first}", item.key),
            "remove one of them",
        );
    }
}

/// `redis` or `plugin/redis`, in its parts.
pub(super) fn offer(text: &str) -> Option<(Option<&str>, &str)> {
    let (plugin, name) = match text.split_once('/') {
        Some((plugin, name)) => (Some(plugin), name),
        None => (None, text),
    };
    let is_odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    let is_usable = !name.is_empty() && !name.contains(is_odd) && plugin.is_none_or(is_name);
    is_usable.then_some((plugin, name))
}
