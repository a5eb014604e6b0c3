use super::read::{Item, Reader, Table};
use super::suggest::{nearest, other_letter};

/// The keys of one kind of table.
pub(super) struct Keys {
    pub(super) known: &'static [&'static str],
    /// Words that people try, with the remedy.
    pub(super) hints: &'static [(&'static str, &'static str)],
}

pub(super) const TOP: Keys = Keys {
    known: &[
        "version",
        "include",
        "host",
        "plugins",
        "regions",
        "templates",
    ],
    hints: &[
        ("plugin", "write [plugins.NAME]"),
        ("region", "write [regions.NAME]"),
    ],
};

pub(super) const HOST: Keys = Keys {
    known: &[
        "plugin_dir",
        "admin_socket",
        "open_timeout",
        "drain_timeout",
    ],
    hints: &[
        (
            "trust",
            "trust is set by DOGPILE_TRUST or in code, never by the manifest itself",
        ),
        ("plugins_dir", "did you mean `plugin_dir`?"),
    ],
};

pub(super) const PLUGIN: Keys = Keys {
    known: &["file", "sha256"],
    hints: &[
        ("sha", "did you mean `sha256`?"),
        ("digest", "did you mean `sha256`?"),
        (
            "path",
            "`file` is a bare file name; its folder is `plugin_dir` in [host]",
        ),
        (
            "arguments",
            "arguments belong to a region: [regions.NAME.arguments]",
        ),
    ],
};

pub(super) const REGION: Keys = Keys {
    known: &[
        "backend",
        "expiration_time",
        "max_stale",
        "key_prefix",
        "key_mangler",
        "proxies",
        "wrap",
        "arguments",
        "serializer",
        "value_version",
        "replace_foreign",
        "on_backend_error",
        "stale_if_error",
        "retry_after",
        "background_refresh",
        "early_refresh",
        "jitter",
        "lock_wait",
        "lock_timeout",
        "bypass_hold",
        "hang_after",
        "call_timeout",
        "shares_keys",
        "require_healthy",
        "invalidation",
        "invalidation_interval",
    ],
    hints: &[
        ("ttl", "did you mean `expiration_time`?"),
        (
            "timeout",
            "did you mean `expiration_time`, `lock_wait` or `call_timeout`?",
        ),
        ("expires", "did you mean `expiration_time`?"),
        ("prefix", "did you mean `key_prefix`?"),
        ("mangler", "did you mean `key_mangler`?"),
        ("key_manglers", "did you mean `key_mangler`?"),
        ("proxy", "did you mean `proxies`?"),
        ("args", "did you mean `arguments`?"),
        ("lock_blocking_timeout", "did you mean `lock_wait`?"),
        (
            "plugin",
            "name it before the backend: backend = \"plugin/backend\"",
        ),
    ],
};

pub(super) const TEMPLATES: Keys = Keys {
    known: &["plugin", "arguments"],
    hints: &[
        ("backend", "did you mean `plugin`? regions have a backend"),
        ("template_cache", "did you mean `plugin`?"),
        ("args", "did you mean `arguments`?"),
        (
            "region",
            "what is the template cache's goes into [templates.arguments]",
        ),
    ],
};

pub(super) const MANGLER: Keys = Keys {
    known: &["mangler", "arguments"],
    hints: &[("name", "did you mean `mangler`?")],
};

pub(super) const PROXY: Keys = Keys {
    known: &["proxy", "arguments"],
    hints: &[("name", "did you mean `proxy`?")],
};

impl Reader<'_, '_> {
    /// Refuses what was not taken from a table.
    pub(super) fn refuse_rest(&mut self, table: &Table<'_>, keys: &Keys) {
        for item in table.rest() {
            self.unknown_key(table, &item, keys);
        }
    }

    fn unknown_key(&mut self, table: &Table<'_>, item: &Item<'_>, keys: &Keys) {
        let hint = keys.hints.iter().find(|(word, _)| *word == item.key);
        let near = nearest(&item.key, keys.known);
        // What any other key holds may be a secret.
        let is_meant = hint.is_some() || near.is_some();
        let remedy = if let Some((_, remedy)) = hint {
            (*remedy).to_owned()
        } else if let Some(word) = near {
            format!("did you mean `{word}`?{}", other_letter(&item.key))
        } else {
            let known = match keys.known {
                [only] => format!("the only key here is {only}"),
                known => format!("the keys here are {}", known.join(", ")),
            };
            if keys.known.contains(&"backend") {
                format!("{known}; what is the backend's goes into `arguments`")
            } else {
                known
            }
        };
        let message = format!("unknown key `{}` in {}", item.key, table.title());
        if is_meant {
            self.error(item.key_span.clone(), message, remedy);
        } else {
            self.error_without_value(item.key_span.clone(), message, remedy);
        }
    }
}
