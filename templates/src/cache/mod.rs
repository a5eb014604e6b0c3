//! What is the same for all template engines: from a page, block or fragment to its text, by way of the cache.

#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
mod digest;
mod elsewhere;
mod error;
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
mod expiration;
mod fetch;
mod few;
#[cfg(any(feature = "minijinja", feature = "tera"))]
mod key_faults;
mod known;
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
mod page_call;
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
mod page_options;
mod part;
mod place;
mod regions;
mod rendered;
mod reused;
#[cfg(any(feature = "minijinja", feature = "tera"))]
pub(crate) mod scope;
mod template;
mod trace;
mod view_cache;
mod view_fragment;
mod warnings;

#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
pub(crate) use self::digest::Digester;
#[cfg(feature = "askama")]
pub(crate) use self::digest::hex;
pub use self::error::ViewCacheError;
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
pub(crate) use self::expiration::{EXPIRATION, expiration};
#[cfg(any(feature = "minijinja", feature = "tera"))]
pub(crate) use self::key_faults::{SAFE_WITHIN, UNDEFINED_WITHIN};
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
pub(crate) use self::page_call::{PageCall, page_call_methods};
#[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
pub(crate) use self::page_options::PageOptions;
pub use self::part::Part;
pub use self::rendered::Rendered;
pub use self::template::Template;
pub use self::trace::{Trace, TracedPart};
pub use self::view_cache::ViewCache;
pub use self::view_fragment::ViewFragment;
