//! The keys that there are.

use super::keys::{Default, Form, Key, Keys};
use super::schema::OfferKind;

use Default::{Nothing, Required, Told, Value};
use Form::{
    Arguments, Backend, Digest, Duration, FileName, Flag, KeyManglers, Mangler, Named, Natural,
    Path, Patterns, Proxies, Proxy, Share, ShareOrOff, Table, TemplateCache, Text, Version, Words,
};

const fn key(name: &'static str, value: Form, default: Default, doc: &'static str) -> Key {
    Key {
        name,
        value,
        default,
        doc,
    }
}

const NEVER: Form = Duration(&["never"]);

pub(super) const TOP: Keys = Keys {
    known: &[
        key(
            "version",
            Version,
            Required,
            "The version of the manifest's format.",
        ),
        key(
            "include",
            Patterns,
            Value("[]"),
            "Other files with `[plugins]` and `[regions]`: names or patterns such as `conf.d/*.toml`, from the manifest's \
             folder on. A plugin or a region may be in one of them only.",
        ),
        key(
            "host",
            Table(&HOST),
            Nothing,
            "What concerns the process, not one region.",
        ),
        key(
            "plugins",
            Named(&PLUGIN),
            Nothing,
            "The plugins by name: only what is listed here is ever loaded. A name has up to 64 lower-case letters, digits, \
             `_` and `-`.",
        ),
        key(
            "regions",
            Named(&REGION),
            Nothing,
            "The regions by name, of letters as for plugins.",
        ),
        key(
            "templates",
            Table(&TEMPLATES),
            Nothing,
            "What decides of the program's templates whether they are cached.",
        ),
    ],
    hints: &[
        ("plugin", "write [plugins.NAME]"),
        ("region", "write [regions.NAME]"),
    ],
    names_an_offer: None,
};

pub(super) const HOST: Keys = Keys {
    known: &[
        key(
            "plugin_dir",
            Path,
            Value("\"plugins\""),
            "Where the plugins' files are; a relative path starts at the manifest's folder.",
        ),
        key(
            "admin_socket",
            Path,
            Told("one in the user's runtime directory, named after the manifest's path"),
            "The socket by which the running host answers the `dogpile` command; relative as `plugin_dir`. Its folder must be there, \
             and be trusted as the manifest's is.",
        ),
        key(
            "open_timeout",
            NEVER,
            Value("\"10s\""),
            "How long a backend may take to open. Not 0.",
        ),
        key(
            "drain_timeout",
            NEVER,
            Value("\"30s\""),
            "How long a backend that was replaced may take for its last calls before the status calls it stuck.",
        ),
    ],
    hints: &[
        (
            "trust",
            "trust is set by DOGPILE_TRUST or in code, never by the manifest itself",
        ),
        ("plugins_dir", "did you mean `plugin_dir`?"),
    ],
    names_an_offer: None,
};

pub(super) const PLUGIN: Keys = Keys {
    known: &[
        key(
            "file",
            FileName,
            Told("`libdogpile_plugin_NAME.so`, with `_` for each `-` of the name"),
            "The file in `plugin_dir`.",
        ),
        key(
            "sha256",
            Digest,
            Nothing,
            "The SHA-256 that the file must have; then it does not matter whose file it is. `dogpile plugins --pin` writes \
             it.",
        ),
    ],
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
    names_an_offer: None,
};

pub(super) const REGION: Keys = Keys {
    known: &[
        key(
            "backend",
            Backend,
            Required,
            "The backend that holds the values: its name, or `plugin/name` where two plugins offer the same.",
        ),
        key(
            "expiration_time",
            NEVER,
            Value("\"never\""),
            "When a value expires, from the end of its creation on. `check` warns where it is not given.",
        ),
        key(
            "max_stale",
            Duration(&["never", "forever"]),
            Told("as long as `expiration_time`; without one, forever"),
            "How long past its expiry a value may be served while one caller creates a new one. `0` or `never`: not at all. \
             `forever`: without limit, as dogpile.cache does.",
        ),
        key(
            "key_prefix",
            Text,
            Value("\"\""),
            "Put before every key, after the key manglers.",
        ),
        key(
            "key_mangler",
            KeyManglers,
            Told("the backend's own, if it has one"),
            "What is done to keys, in this order. `false`: nothing, not even the backend's own.",
        ),
        key(
            "proxies",
            Proxies,
            Value("[]"),
            "What stands between the region and its backend, the outermost first.",
        ),
        key(
            "wrap",
            Proxies,
            Nothing,
            "dogpile.cache's word for `proxies`; not both.",
        ),
        key(
            "arguments",
            Arguments,
            Value("{}"),
            "What is the backend's own. `lock_timeout` and `lock_blocking_timeout` (`lock_wait`) may stand here too, where \
             dogpile.cache has them.",
        ),
        key(
            "serializer",
            Words(&["json", "messagepack", "raw"]),
            Value("\"json\""),
            "How values become bytes, where the backend holds bytes.",
        ),
        key(
            "value_version",
            Natural,
            Value("0"),
            "Values that were stored with another version are misses: count it up when the program's types change.",
        ),
        key(
            "replace_foreign",
            Flag,
            Value("false"),
            "Whether a created value is stored over what Python pickled.",
        ),
        key(
            "on_backend_error",
            Words(&["bypass", "fail"]),
            Value("\"bypass\""),
            "What happens when the backend fails: `bypass`, as if the value were missing, or `fail`, an error for the \
             caller.",
        ),
        key(
            "stale_if_error",
            NEVER,
            Value("\"0s\""),
            "How long past its expiry a value may stand in for a creation that fails. `0` or `never`: not at all.",
        ),
        key(
            "retry_after",
            NEVER,
            Value("\"1s\""),
            "How long a creation that failed is not tried again by those who have a stale value to serve, or whose creator \
             runs in the background. `0` or `never`: it is tried at once.",
        ),
        key(
            "background_refresh",
            Flag,
            Value("false"),
            "Whether background creators run in the background, while their callers are served the old value.",
        ),
        key(
            "early_refresh",
            ShareOrOff,
            Value("false"),
            "The share of the expiration time after which background creators run, before a value expires. `false`: not \
             early.",
        ),
        key(
            "jitter",
            Share,
            Value("0"),
            "The share by which an expiration time may be shorter, another for each value, so that what was created together \
             does not expire together.",
        ),
        key(
            "lock_wait",
            NEVER,
            Value("\"never\""),
            "How long one caller waits for another's creation before it gets an error. `never`: for as long as that takes; \
             within a creator, on a storage that processes share, for `lock_timeout`.",
        ),
        key(
            "lock_timeout",
            Duration(&[]),
            Value("\"30s\""),
            "The lease of the backend's mutex, for which a creator that died keeps its key; renewed while one lives. At least \
             100 ms.",
        ),
        key(
            "bypass_hold",
            NEVER,
            Value("\"1s\""),
            "How long a value that was created while the backend fails is held in the process. `0` or `never`: not at all.",
        ),
        key(
            "hang_after",
            NEVER,
            Value("\"2s\""),
            "How long a call of the backend may take before nobody else calls it, until it answers a ping; but no less than \
             what the backend says its calls may take, and a second. At least 10 ms.",
        ),
        key(
            "call_timeout",
            NEVER,
            Value("\"never\""),
            "How long a caller waits for a call of the backend. `never`: for as long as it takes. At least 10 ms.",
        ),
        key(
            "shares_keys",
            Flag,
            Value("false"),
            "Whether another region, which says so too, may use the same keys of the same storage.",
        ),
        key(
            "require_healthy",
            Flag,
            Told("`true` on a reload, `false` at the start"),
            "Whether a new backend must answer a ping before it is taken into use.",
        ),
        key(
            "invalidation",
            Words(&["local", "shared"]),
            Told("`shared` where other processes see what the backend stores, else `local`"),
            "Who knows of the region's invalidations: this process, or every process that uses the storage.",
        ),
        key(
            "invalidation_interval",
            Duration(&[]),
            Value("\"1s\""),
            "How often the record of shared invalidations is read. Not 0.",
        ),
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
    names_an_offer: Some((OfferKind::Backend, "region")),
};

/// Arguments of every backend, which the host takes itself.
pub(super) const LOCK_ARGUMENTS: Keys = Keys {
    known: &[
        key(
            "lock_timeout",
            Duration(&[]),
            Nothing,
            "The region's `lock_timeout`, where dogpile.cache has it.",
        ),
        key(
            "lock_blocking_timeout",
            NEVER,
            Nothing,
            "The region's `lock_wait`, where dogpile.cache has it.",
        ),
    ],
    hints: &[],
    names_an_offer: None,
};

pub(super) const TEMPLATES: Keys = Keys {
    known: &[
        key(
            "plugin",
            TemplateCache,
            Required,
            "The template cache: its name, or `plugin/name` where two plugins offer the same.",
        ),
        key(
            "arguments",
            Arguments,
            Value("{}"),
            "What is the template cache's own.",
        ),
    ],
    hints: &[
        ("backend", "did you mean `plugin`? regions have a backend"),
        ("template_cache", "did you mean `plugin`?"),
        ("args", "did you mean `arguments`?"),
        (
            "region",
            "what is the template cache's goes into [templates.arguments]",
        ),
    ],
    names_an_offer: Some((OfferKind::TemplateCache, "templates")),
};

pub(super) const MANGLER: Keys = Keys {
    known: &[
        key(
            "mangler",
            Mangler,
            Required,
            "The key mangler: its name, or `plugin/name` where two plugins offer the same.",
        ),
        key(
            "arguments",
            Arguments,
            Value("{}"),
            "What is the key mangler's own.",
        ),
    ],
    hints: &[("name", "did you mean `mangler`?")],
    names_an_offer: Some((OfferKind::KeyMangler, "key_mangler")),
};

pub(super) const PROXY: Keys = Keys {
    known: &[
        key(
            "proxy",
            Proxy,
            Required,
            "The proxy: its name, or `plugin/name` where two plugins offer the same.",
        ),
        key(
            "arguments",
            Arguments,
            Value("{}"),
            "What is the proxy's own.",
        ),
    ],
    hints: &[("name", "did you mean `proxy`?")],
    names_an_offer: Some((OfferKind::Proxy, "proxy")),
};
