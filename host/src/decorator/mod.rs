//! Cached functions: the installed host, and what the code that `#[cached]` and `#[cached_multi]` write calls.

mod errors;
mod installed;
mod place;
mod single;
mod values;

pub(crate) use self::installed::{install, uninstall};

pub use dogpile_macros::{cached, cached_multi};

/// For the written code alone.
pub(crate) mod private {
    pub use std::result::Result::Ok;

    pub use super::errors::{CacheErrors, DropErrors};
    pub use super::installed::installed;
    pub use super::place::{IntoExpiration, IntoRegion, Place, key};
    pub use super::single::{call, get, invalidate, refresh, set, try_call, try_refresh};
    pub use super::values::{MaybeNone, owned, should_cache};
    pub use crate::Result;
    pub use crate::key_generator::{Argument, FunctionCall, Site, key_by};
    pub use crate::region::{Cached, Expiration};
}
