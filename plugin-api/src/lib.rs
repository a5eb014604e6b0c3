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
//!
//!     fn shared(&self) -> bool {
//!         false // what it stores is this process's
//!     }
//! }
//!
//! export_plugin! { backends: { "map" => Map } }
//! # fn main() { plugin(); }
//! ```
//!
//! `dogpile new-plugin NAME` writes a crate with all of that and more; [`testing`] is what its tests look at, and `dogpile
//! conformance` looks at in the library.
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
//! A panic in a method, in `open` or in `Drop` is caught and becomes an error, also where what is thrown panics as it is
//! dropped; one in a thread of the plugin's own ends that thread. These end the process, as they would in the program
//! itself:
//!
//! - a segmentation fault, `abort` and `exit`;
//! - a stack overflow;
//! - a panic while another one unwinds, such as in a `Drop` that runs then;
//! - a panic that would leave an `extern "C"` function of the plugin's own, and one in the `Drop` of a thread-local;
//! - whatever a constructor does, which runs while the library is mapped.
//!
//! Nor can the host see that a value was freed before, or that memory is leaked. What it does see, and with which code it
//! tells operators, is [`ErrorKind::code`].
//!
//! # Which plugins work in which hosts
//!
//! Plugin and host need the same major version of this crate and nothing else in common: not its minor version, not the
//! compiler, not the program. What tells is not the version but [`abi::ABI_EPOCH`], which a release counts up only with the
//! major version, and the layout of the tables, which the host compares in both directions before it calls anything.
//!
//! - An older plugin in a newer host: where it lacks a function, the host does what the method's default says.
//! - A newer plugin in an older host: functions that the host does not know are not called, flags that it does not know
//!   mean nothing, an error of a kind that it does not know is of kind [`Other`](ErrorKind::Other). What
//!   the host itself lacks, the plugin is told so or gets a default; so with what a proxy wraps.
//! - Anything else is refused as it is loaded, with the place of the first difference and who must move.
//!
//! A minor version needs no newer compiler than the `rust-version` of its package, and may raise that. The types of
//! `serde` 1, `schemars` 1 and `tracing` 0.1 that are re-exported here are part of the interface.
//!
//! # How it may change
//!
//! For those who change this crate. Within an epoch:
//!
//! - A table gets functions at its end, behind the one that is marked as the last of those guaranteed; the mark stays.
//!   Nothing is removed, moved or renamed, not even a parameter: names are compared.
//! - The default of an appended method is made of methods of the same instance that were there before: so the adapter has it
//!   for a table that ends early, and a [`Proxy`] that changes what passes sees it all the same. What carries values never
//!   goes to [`Proxy::proxied`] by default.
//! - A method that is appended to [`Mutex`] or [`AnyBackend`], which hosts implement, has a default too.
//! - Structs that cross as they are have a fixed layout. What is new in one takes a word of its `reserved`, from the front, by
//!   its index; the field keeps name and type, and 0 means what there was before. The header of values is full: what is new
//!   stands behind it, where `key_offset` tells that it is there, or in `code`, which is 0 unless the value is an error.
//! - The header of a plugin grows at its end, and `length` tells what is there. Its first fields, up to the functions, stay
//!   where they are in all epochs, so that a plugin of another one can be told by its version.
//! - Numbers keep their meaning. A new kind of error may be made at any time. A new property is a bit whose absence means what was so
//!   before. A new part or outcome of a template is taken for a fragment, or a failure, by who does not know it. Kinds of values,
//!   outcomes of [`Backend::set_guarded`] and decisions of a [`TemplateCache`] that a host does not know are a breach of
//!   contract: new ones are for functions that are new as well.
//! - JSON (what a plugin says of itself, statistics, errors) gets fields with defaults; what is unknown is skipped.
//! - Public structs and enums are `#[non_exhaustive]`, but for those whose doc says why not. The suites in [`testing`] may get
//!   cases, and so fail a plugin that was wrong already.
//!
//! `plugin-api/src/abi/layout.txt` is what crosses the boundary now, and a test compares it. What these rules do not allow is
//! another epoch and another major version: all plugins are built anew.
//!
//! # What only hosts need
//!
//! [`Plugin`], [`BackendInstance`] and its like, [`AnyBackend`], [`Properties`], [`Object`], [`Unreferenced`] and the module
//! [`abi`]: hosts are other crates. Plugins meet them in their tests at most.

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
pub use self::value::{Metadata, Object, Unreferenced, Value, keep_unreferenced};
