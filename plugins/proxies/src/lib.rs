//! The proxies `log` and `zstd`.
//!
//! | proxy | arguments | does |
//! |---|---|---|
//! | `log` | `level` (`"debug"`) | logs each call: its method, its keys (cut to 300 characters), what came of it, and how long it took |
//! | `zstd` | `level` (3), `min_size` (256), `max_size` (256 MiB) | compresses values of `min_size` to `max_size` bytes, with Zstandard |
//!
//! `zstd` wants bytes, so a region with it is one of bytes whatever its backend holds. A compressed value is a plain
//! Zstandard frame of all that would be stored without the proxy, envelope included, and weighs what it takes, whatever
//! the program's weigher says; one that is not compressed stays as it is. So values from before the proxy are read, and
//! other programs can decode those of after it. Frames have a checksum. Without the proxy, compressed values are misses, and
//! are replaced; so is what cannot be decoded, or would be longer than `max_size`.

#![forbid(unsafe_code)]

mod log;
mod zstd;

use dogpile_plugin_api::export_plugin;

pub use self::log::{Level, Log, LogArguments};
pub use self::zstd::{Zstd, ZstdArguments};

export_plugin! { proxies: { "log" => Log, "zstd" => Zstd } }
