//! The derive `CachedTemplate`, which the crate `dogpile-templates` exports and documents. What it writes calls that
//! crate, so it is of no use without it.
//!
//! From an item to its `impl`, a step a file: `item` reads what its attributes say, `config` what `askama.toml` does,
//! `files` follows what templates refer to, `scan` finds that in their texts, `digest` identifies all of it, and
//! `expand` writes.

#![forbid(unsafe_code)]

mod config;
mod digest;
mod expand;
mod files;
mod item;
mod scan;

use proc_macro::TokenStream;

/// Tells the cache what a template is made of. `dogpile_templates::askama` has the documentation.
#[proc_macro_derive(CachedTemplate, attributes(template, renders))]
pub fn cached_template(item: TokenStream) -> TokenStream {
    expand::derive(item.into()).into()
}
