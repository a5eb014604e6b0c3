//! What is the same for all template engines: from a page, block or fragment to its text, by way of the cache.

mod elsewhere;
mod error;
mod fetch;
mod key;
mod part;
mod regions;
mod rendered;
mod template;
mod view_cache;
mod warnings;

pub use self::error::ViewCacheError;
pub use self::part::Part;
pub use self::rendered::Rendered;
pub use self::template::Template;
pub use self::view_cache::ViewCache;
