//! The key manglers of dogpile.cache, with the same results, so that programs in both languages find the same keys.
//!
//! | mangler | arguments | result |
//! |---|---|---|
//! | `sha1` | none | the SHA-1 of the key's UTF-8 bytes, in 40 lowercase hexadecimal digits (`sha1_mangle_key`) |
//! | `length` | `max` (250), `then` (`"sha1"`) | keys of `max` characters or more go through `then`, shorter ones stay (`length_conditional_mangler`) |
//!
//! `length` counts characters (code points), not bytes, as dogpile.cache does: a storage that limits bytes needs a
//! smaller `max` where keys are not ASCII.

#![forbid(unsafe_code)]

mod length;
mod sha1;

use dogpile_plugin_api::export_plugin;

pub use self::length::{Length, LengthArguments, Then};
pub use self::sha1::Sha1;

export_plugin! { manglers: { "sha1" => Sha1, "length" => Length } }
