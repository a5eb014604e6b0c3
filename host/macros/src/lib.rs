//! The attributes `cached` and `cached_multi`, which the crate `dogpile` exports and documents. What they write calls
//! that crate, so they are of no use without it.

#![forbid(unsafe_code)]

mod arguments;
mod attributes;
mod expand;
mod expiration;
mod function;
mod keep;
mod lifetimes;
mod multi;
mod option;
mod options;
mod output;
mod place;
mod single;

use proc_macro::TokenStream;

/// Caches what a function returns, by its arguments. `dogpile::cached` has the documentation.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(options.into(), &item.into(), options::Kind::Single).into()
}

/// Caches what a function of several keys returns, each key by itself. `dogpile::cached_multi` has the documentation.
#[proc_macro_attribute]
pub fn cached_multi(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(options.into(), &item.into(), options::Kind::Multi).into()
}
