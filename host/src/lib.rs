//! A cache front-end built on the *dogpile lock*: when many threads want the same missing or expired value at once,
//! one of them creates it; the others get the previous value at once, or wait if there is none.
//!
//! A [`Region`] is a cache with a name, a backend and an expiration time. A [`Host`] owns regions and the plugins that
//! serve them, which are linked in or loaded from files, and follows a manifest if it has one:
//!
//! ```
//! use std::time::Duration;
//!
//! use dogpile::{Host, RegionConfig, Source};
//!
//! let host = Host::builder()
//!     .plugin(dogpile_plugin_memory::plugin())
//!     .region(RegionConfig::on("squares", "memory").expiration_time(Duration::from_secs(60)))
//!     .build()?;
//! let squares = host.region("squares")?;
//!
//! let square = squares.get_or_create("7", || 7 * 7)?;
//! assert_eq!((*square, square.source()), (49, Source::Created));
//! assert_eq!(squares.get_or_create("7", || 7 * 7)?.source(), Source::Fresh);
//! # Ok::<(), dogpile::Error>(())
//! ```
//!
//! # What is promised
//!
//! - One creation per expiry of a key in a process, however many threads ask. Who waits gets its result, value or
//!   error, with no second read.
//! - No caller with a value that may be served waits: see [`RegionConfig::max_stale`].
//! - A fresh hit is one call of the backend; a miss at most two reads and one write.
//! - An invalidation holds in this process when its call returns. Where other processes see what a region's backend
//!   stores, they see it within the region's `invalidation_interval`: see [`Region::invalidate`].
//! - A backend that panics is reopened, and one that fails 5 times in a row within 30 seconds (its *breaker* opens) is
//!   left alone until it answers a ping: after 100 ms, 200 ms, and then every 400 ms. Until then no call waits for it: see
//!   [`OnBackendError`]. Pauses before a panicked one is reopened double up to 30 s, and so does the first one for a
//!   backend that answers pings and soon fails again.
//! - A backend, proxy or template cache in which a call hangs for longer than [`RegionConfig::hang_after`] is waited for by
//!   nobody else, until it answers a ping (a template cache: until it was reopened, and after 2 s always). Callers that are
//!   in it stay there, unless the region has a [`RegionConfig::call_timeout`].
//! - A backend is closed once, after its last call. If a call hangs in it, that is reported after `drain_timeout`, and it
//!   is closed when the call ends, if ever.
//! - A reload changes all regions at once or none. Calls under way finish on what they began with.
//!
//! # What is not
//!
//! - One creation over several processes: that takes a backend with a mutex, as `dbm` has.
//! - That a value is stored: a backend may evict it, or fail. Then it is created again.
//!
//! # What is stored
//!
//! In a backend of objects, the value itself. In one of bytes, what Python's dogpile.cache 1.5 stores, which both read:
//! `{"ct": 1700000000.25, "v": 2}|payload`. `ct` is when creation ended, in Unix seconds; the payload is made by the
//! region's [serializer](SerializerKind). Keys of ours, which Python ignores: `st` is when creation started, `vv` the
//! `value_version`, `ku` until when somebody may want the value, `tags` its tags, `et` the value's [own expiration
//! time](Entry::expiration_from) in seconds (negative: never), and `sz` the serializer's name.
//!
//! Bytes that cannot be read are misses, never errors; [`MissReason`] says why. [Pickles](MissReason::Foreign)
//! are not replaced by created values unless [`RegionConfig::replace_foreign`] says so.
//!
//! # Logging
//!
//! Through `tracing`: targets `dogpile.cache` (misses, backends that fail), `dogpile.lock` (who creates, who waits),
//! `dogpile.reload` (one event for each reload), `dogpile.admin`, and `dogpile::plugin` (what plugins log). At debug level a miss tells
//! region, key and reason, a creation is a span around its creator, and its end or failure tells how long it took, in
//! seconds. Keys are cut after 300 characters. A fresh hit logs nothing.

#![deny(unsafe_code)]

pub mod admin;
mod arguments;
mod assemble;
mod blame;
mod calls;
mod decorator;
mod draining;
mod engine;
mod error;
mod events;
mod health;
mod host;
mod inner;
mod instance;
mod jitter;
mod key_generator;
mod keys;
mod listener;
#[allow(unsafe_code)]
pub mod loader;
mod mangler;
pub mod manifest;
mod mend;
mod metrics;
#[doc(hidden)]
pub mod paths;
mod plugins;
mod pool;
mod provenance;
mod published;
mod records;
mod region;
mod registry;
mod reload;
mod secrets;
mod serializer;
mod slot;
mod spare;
mod status;
mod storages;
mod stripes;
mod template_cache;
mod templates;
mod timed;
mod trust;
mod watchdog;
mod watched;
mod wire_time;
mod worker;
mod wrapped;

pub use dogpile_lock::{Clock, ManualClock, Source};
pub use dogpile_plugin_api::{BackendStats, Expiration, Plugin};

pub use self::decorator::{cached, cached_multi};
pub use self::error::{Error, ErrorKind, Result};
pub use self::events::{CreatedEvent, EvictedEvent, InvalidatedEvent};
pub use self::host::{Host, HostBuilder};
pub use self::key_generator::{
    Argument, FunctionCall, KeyArgument, KeyGenerator, PythonKeys, RustKeys,
};
pub use self::listener::Listener;
pub use self::manifest::{
    InvalidationScope, MaxStale, OnBackendError, RegionConfig, TemplatesConfig,
};
pub use self::metrics::METRICS_CONTENT_TYPE;
pub use self::region::{
    Background, BackgroundAsync, CacheKey, Cacheable, Cached, Entries, Entry,
    ExplainedInvalidation, ExplainedLock, ExplainedOutcome, ExplainedReason, ExplainedValue,
    Explanation, Objects, Payload, Region, ValueMetadata,
};
pub use self::reload::{
    Change, ChangeKind, EntriesFate, Reload, ReloadOutcome, ReloadRecord, Reloads, Retries,
    TemplateCacheChange, Trigger,
};
pub use self::serializer::{AnyValue, Destination, Serializer, SerializerError, SerializerKind};
pub use self::slot::{
    Creation, Invalidation, InvalidationStrategy, MissReason, RegionStats, Verdict,
};
pub use self::status::{
    DrainingStatus, HostStatus, PluginDescription, PluginStatus, RegionStatus, TemplatesStatus,
};
pub use self::templates::Templates;
pub use self::trust::Trust;

/// What the code that `cached` and `cached_multi` write calls. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::decorator::private::*;
}
