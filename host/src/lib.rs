//! A caching front-end built on the dogpile lock, with plugins for storage.

#![deny(unsafe_code)]

pub mod admin;
mod assemble;
mod engine;
mod error;
mod host;
mod inner;
mod instance;
mod keys;
#[allow(unsafe_code)]
pub mod loader;
pub mod manifest;
mod plugins;
mod region;
mod registry;
mod reload;
mod slot;
mod status;

pub use dogpile_lock::{Clock, ManualClock, Source};
pub use dogpile_plugin_api::{BackendStats, Plugin};

pub use self::error::{Error, ErrorKind, Result};
pub use self::host::{Host, HostBuilder};
pub use self::manifest::{MaxStale, OnBackendError, RegionConfig};
pub use self::region::{
    Cacheable, Cached, Entry, Expiration, Objects, Payload, Region, ValueMetadata,
};
pub use self::reload::{Change, ChangeKind, Reload};
pub use self::slot::{Invalidation, MissReason, RegionStats};
pub use self::status::{HostStatus, PluginDescription, PluginStatus, RegionStatus};
