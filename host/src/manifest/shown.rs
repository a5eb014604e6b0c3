use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::duration::display;
use super::model::{
    InvalidationScope, KeyManglers, ManglerConfig, MaxStale, OnBackendError, ProxyConfig,
    RegionConfig,
};
use crate::secrets::{Secrets, names_a_secret, names_a_user, value_without_credentials};

impl RegionConfig {
    /// Adds the secrets in its arguments, and in those of its proxies and key manglers.
    pub(super) fn tell_secrets(&self, secrets: &mut Secrets) {
        secrets.add_table(&self.arguments, false);
        for proxy in &self.proxies {
            secrets.add_table(&proxy.arguments, false);
        }
        if let KeyManglers::Named(manglers) = &self.key_mangler {
            for mangler in manglers {
                secrets.add_value(&mangler.arguments, false);
            }
        }
    }

    /// The region as the manifest could write it, with all defaults; secrets are `***`.
    pub(super) fn masked_value(&self) -> Value {
        let timeout = |limit: Option<Duration>| limit.map_or("never".into(), display);
        let mut table = Map::new();
        let mut put = |key: &str, value: Value| table.insert(key.into(), value);
        put("backend", self.backend.to_string().into());
        put("expiration_time", timeout(self.expiration_time).into());
        put(
            "max_stale",
            match self.resolved_max_stale() {
                MaxStale::For(limit) => display(limit).into(),
                MaxStale::Forever => "forever".into(),
            },
        );
        put("key_prefix", self.masked_prefix().into());
        match &self.key_mangler {
            KeyManglers::Backend => {}
            KeyManglers::Off => {
                put("key_mangler", false.into());
            }
            KeyManglers::Named(manglers) => {
                put("key_mangler", self.masked_manglers(manglers));
            }
        }
        if !self.proxies.is_empty() {
            put("proxies", self.masked_proxies());
        }
        put("stale_if_error", display(self.stale_if_error).into());
        put("retry_after", display(self.retry_after).into());
        put("background_refresh", self.background_refresh.into());
        put(
            "early_refresh",
            self.early_refresh.map_or(false.into(), Into::into),
        );
        put("jitter", self.jitter.into());
        put("lock_wait", timeout(self.lock_wait).into());
        put("lock_timeout", display(self.lock_timeout).into());
        put("bypass_hold", display(self.bypass_hold).into());
        put("hang_after", timeout(self.hang_after).into());
        put("call_timeout", timeout(self.call_timeout).into());
        put(
            "on_backend_error",
            match self.on_backend_error {
                OnBackendError::Bypass => "bypass".into(),
                OnBackendError::Fail => "fail".into(),
            },
        );
        put("serializer", self.serializer.name().into());
        put("value_version", self.value_version.into());
        put("replace_foreign", self.replace_foreign.into());
        put("shares_keys", self.shares_keys.into());
        match self.invalidation {
            None => {}
            Some(InvalidationScope::Local) => {
                put("invalidation", "local".into());
            }
            Some(InvalidationScope::Shared) => {
                put("invalidation", "shared".into());
            }
        }
        put(
            "invalidation_interval",
            display(self.invalidation_interval).into(),
        );
        if let Some(must) = self.require_healthy {
            put("require_healthy", must.into());
        }
        if !self.arguments.is_empty() {
            put("arguments", self.masked_arguments());
        }
        Value::Object(table)
    }

    /// The backend's arguments as they may be shown.
    pub(crate) fn masked_arguments(&self) -> Value {
        let mut path = vec!["arguments".to_owned()];
        masked_table(&self.masked, &self.arguments, &mut path)
    }

    fn masked_prefix(&self) -> &str {
        self.masked
            .get(["key_prefix".to_owned()].as_slice())
            .unwrap_or(&self.key_prefix)
    }

    fn masked_manglers(&self, manglers: &[ManglerConfig]) -> Value {
        manglers
            .iter()
            .enumerate()
            .map(|(index, mangler)| {
                let mut path = vec!["key_mangler".into(), index.to_string(), "arguments".into()];
                serde_json::json!({
                    "mangler": mangler.name,
                    "arguments": masked_json(&self.masked, &mangler.arguments, &mut path),
                })
            })
            .collect()
    }

    fn masked_proxies(&self) -> Value {
        let shown = |(index, proxy): (usize, &ProxyConfig)| {
            let mut path = vec!["proxies".into(), index.to_string(), "arguments".into()];
            serde_json::json!({
                "proxy": proxy.name,
                "arguments": masked_table(&self.masked, &proxy.arguments, &mut path),
            })
        };
        self.proxies.iter().enumerate().map(shown).collect()
    }
}

/// What an interpolation gave, by its path, as it may be shown.
type Masked = BTreeMap<Vec<String>, String>;

/// A table as it may be shown; `path` is its own.
pub(super) fn masked_table(
    masked: &Masked,
    table: &Map<String, Value>,
    path: &mut Vec<String>,
) -> Value {
    let mut shown = Map::new();
    for (key, value) in table {
        path.push(key.clone());
        shown.insert(key.clone(), masked_json(masked, value, path));
        path.pop();
    }
    Value::Object(shown)
}

fn masked_json(masked: &Masked, value: &Value, path: &mut Vec<String>) -> Value {
    match value {
        Value::Object(table) => masked_table(masked, table, path),
        Value::Array(items) => {
            let mut shown = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                shown.push(masked_json(masked, item, path));
                path.pop();
            }
            Value::Array(shown)
        }
        _ if path
            .iter()
            .any(|key| names_a_secret(key) || names_a_user(key)) =>
        {
            "***".into()
        }
        Value::String(text) => value_without_credentials(masked.get(path).unwrap_or(text)).into(),
        plain => plain.clone(),
    }
}

impl fmt::Debug for RegionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = Value::Object(self.arguments.clone());
        f.debug_struct("RegionConfig")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("expiration_time", &self.expiration_time)
            .field("max_stale", &self.resolved_max_stale())
            .field("key_prefix", &self.masked_prefix())
            .field("key_mangler", &self.key_mangler)
            .field("proxies", &self.proxies)
            .field("arguments", &WithoutText(&arguments))
            .field("serializer", &self.serializer)
            .field("value_version", &self.value_version)
            .field("replace_foreign", &self.replace_foreign)
            .field("on_backend_error", &self.on_backend_error)
            .field("stale_if_error", &self.stale_if_error)
            .field("retry_after", &self.retry_after)
            .field("background_refresh", &self.background_refresh)
            .field("early_refresh", &self.early_refresh)
            .field("jitter", &self.jitter)
            .field("lock_wait", &self.lock_wait)
            .field("lock_timeout", &self.lock_timeout)
            .field("bypass_hold", &self.bypass_hold)
            .field("hang_after", &self.hang_after)
            .field("call_timeout", &self.call_timeout)
            .field("shares_keys", &self.shares_keys)
            .field("invalidation", &self.invalidation)
            .field("invalidation_interval", &self.invalidation_interval)
            .field("require_healthy", &self.require_healthy)
            .finish_non_exhaustive()
    }
}

/// Shows keys, numbers and booleans, but no string: no list of names of secrets is complete.
pub(super) struct WithoutText<'v>(pub(super) &'v Value);

impl fmt::Debug for WithoutText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Object(table) => f
                .debug_map()
                .entries(table.iter().map(|(key, value)| {
                    let secret = names_a_secret(key) || names_a_user(key);
                    (
                        key,
                        if secret {
                            Shown::Masked
                        } else {
                            Shown::Value(WithoutText(value))
                        },
                    )
                }))
                .finish(),
            Value::Array(items) => f
                .debug_list()
                .entries(items.iter().map(WithoutText))
                .finish(),
            Value::String(_) => f.write_str("***"),
            plain => fmt::Display::fmt(plain, f),
        }
    }
}

enum Shown<'v> {
    Masked,
    Value(WithoutText<'v>),
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masked => f.write_str("***"),
            Self::Value(value) => value.fmt(f),
        }
    }
}
