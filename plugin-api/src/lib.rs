//! The plugin interface of dogpile: all that the author of a backend, key mangler, proxy or
//! template cache reads.
//!
//! A plugin is a crate of type `cdylib` which implements [`Backend`], [`KeyMangler`], [`Proxy`] or [`TemplateCache`]
//! and says so with [`export_plugin!`]. The host loads it from a file, or a program links it in.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value, export_plugin};
//!
//! #[derive(Default)]
//! struct Map(Mutex<HashMap<String, Value>>);
//!
//! impl Backend for Map {
//!     type Arguments = NoArguments;
//!
//!     fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
//!         Ok(Self::default())
//!     }
//!
//!     fn get(&self, key: &Key) -> Result<Option<Value>> {
//!         Ok(self.0.lock().unwrap().get(key.as_str()).cloned())
//!     }
//!
//!     fn set(&self, key: &Key, value: &Value) -> Result<()> {
//!         self.0.lock().unwrap().insert(key.to_string(), value.clone());
//!         Ok(())
//!     }
//!
//!     fn delete(&self, key: &Key) -> Result<()> {
//!         self.0.lock().unwrap().remove(key.as_str());
//!         Ok(())
//!     }
//! }
//!
//! export_plugin! { backends: { "map" => Map } }
//! # fn main() { plugin(); }
//! ```
//!
//! # Logs and secrets
//!
//! A plugin logs with [`tracing`] (libraries in it with the crate `log` too), and prints nothing. Its records and the
//! messages of its panics, also in threads of its own, arrive in the host's log with its name and their level; the fields
//! of spans do not.
//!
//! The host clears records, panics and errors of the secrets in arguments: of what a manifest interpolates, what an
//! argument's name calls one (`password`), and of credentials in URLs and other strings. It finds a secret as it was
//! written, or without percent-encoding. It cannot find what a plugin made of one, such as its half or a hash, nor clear
//! what a plugin prints, or says in a process where it is linked in. So have no secret in a message: keep it in a type
//! whose `Debug` hides it.
//!
//! # What nothing can catch
//!
//! A panic in a method, in `open` or in `Drop` is caught and becomes an error. A segmentation fault, `abort`, `exit`,
//! a stack overflow and a panic while unwinding end the process, as they would in the program itself.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod abi;
#[allow(unsafe_code)]
mod adapter;
mod arguments;
mod backend;
mod error;
mod expiration;
#[allow(unsafe_code)]
mod export;
mod host_context;
mod key;
mod mangler;
mod mutex;
mod panics;
mod proxy;
mod scalar;
mod template_cache;
pub mod testing;
#[allow(unsafe_code)]
mod value;

/// The version of this interface.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The compiler that this build of the interface was made with, as `rustc --version` says.
pub const RUSTC_VERSION: &str = env!("DOGPILE_RUSTC_VERSION");

pub use schemars;
pub use schemars::JsonSchema;
pub use serde;
pub use serde::Deserialize;
pub use tracing;

pub use self::adapter::{
    AnyBackend, BackendInfo, BackendInstance, ManglerInfo, ManglerInstance, Plugin, PluginInfo,
    Properties, Proxied, ProxyInfo, TemplateCacheInfo, TemplateCacheInstance,
};
pub use self::arguments::NoArguments;
pub use self::backend::{Backend, BackendStats, Guarded, Storage};
pub use self::error::{Error, ErrorKind, Result};
pub use self::expiration::Expiration;
#[doc(hidden)]
pub use self::export::parts as __export;
pub use self::host_context::HostContext;
pub use self::key::{Key, OwnedKey};
pub use self::mangler::KeyMangler;
pub use self::mutex::{Lease, Mutex};
pub use self::proxy::Proxy;
pub use self::scalar::Scalar;
pub use self::template_cache::{
    Decision, KeyParts, KeyPartsIter, TemplateCache, TemplateChange, TemplateEntry, TemplateEvent,
    TemplateOutcome, TemplatePart, TemplateRequest, Text,
};
pub use self::value::{Metadata, Object, Unreferenced, Value, image, keep_unreferenced};
