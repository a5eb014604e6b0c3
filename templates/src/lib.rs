//! Templates for dogpile: the part below the cache.
//!
//! A [`Site`] is a folder of Tera 2 templates and JSON files. It says which page a request path names, and gives each
//! page a [digest](Page::digest) of everything that its text is made of. A cache that puts the digest into its key
//! never serves an edited page old.
//!
//! ```no_run
//! use dogpile_templates::Site;
//!
//! let site = Site::open("site".as_ref())?;
//! if let Some(page) = site.page("/mountains") {
//!     let html = page.render(&[("continent".to_owned(), "Asia".to_owned())])?;
//!     println!("{} {}\n{html}", page.name(), page.digest());
//! }
//! # Ok::<(), dogpile_templates::ViewError>(())
//! ```

#![forbid(unsafe_code)]

mod cache;
#[cfg(feature = "tera")]
mod site;
#[cfg(feature = "tera")]
mod views;

pub use self::cache::{Part, Rendered, Template, ViewCache, ViewCacheError};
#[cfg(feature = "tera")]
pub use self::site::{Page, Site, StaticFile};
#[cfg(feature = "tera")]
pub use self::views::{View, ViewError, ViewErrorKind, ViewFragment, Views};
pub use dogpile_plugin_api::TemplateOutcome;
