//! Cached templates: pages, blocks and fragments, each with the dogpile lock in front, so that one of all who want a text
//! renders it, and the others have the old one meanwhile.
//!
//! - [`ViewCache`] is what all engines share: from a template's page, block or fragment, and what it varies by, to its
//!   text. Which region keeps it, for how long and whether at all is decided by the host's template cache, a plugin.
//! - [`Views`] is a folder of Tera 2 templates as pages, with `{% cache "row", key=item.id %}…{% endcache %}` in them.
//! - `JinjaViews` is the same for MiniJinja 3 templates, in the program's own environments: `{% call cached("row",
//!   item.id) %}…{% endcall %}`.
//! - `askama`, a module, has the filters `cached` and `cached_tpl` for Askama 0.16, and its templates as pages.
//! - [`Site`] is a folder of Tera 2 templates, JSON files and static files, by request paths: what `dogpile serve`
//!   serves.
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `askama` | no | the module `askama` |
//! | `tera` | yes | `Views`, `Site` |
//! | `minijinja` | no | `JinjaViews` |
//!
//! # What is promised
//!
//! - A body does not run while its text is in the cache. It runs once for all who want it at a time.
//! - Nothing old is served after an edit: keys hold the digest of all that a text is made of. What the edit does not
//!   concern stays.
//! - Two texts that may differ have different keys, as far as their templates name what they vary by. Keys are
//!   explicit: what is not in a key is the same for all who see the page.
//! - Whatever fails in the cache, there is a page; the log tells why, with template and line. An error of the page is its
//!   own, and is not stored.
//!
//! # What is not
//!
//! - A text that contains another is not made anew because that one was invalidated: give both the tag by which they
//!   are.
//! - What templates can call is not part of a digest: see [`Views`], `JinjaViews` and `askama`.

#![forbid(unsafe_code)]

#[cfg(feature = "askama")]
pub mod askama;
mod cache;
#[cfg(feature = "minijinja")]
mod jinja;
#[cfg(feature = "tera")]
mod site;
#[cfg(feature = "tera")]
mod views;

pub use self::cache::{
    Part, Rendered, Template, Trace, TracedPart, ViewCache, ViewCacheError, ViewFragment,
};
#[cfg(feature = "minijinja")]
pub use self::jinja::{JinjaView, JinjaViews};
#[cfg(feature = "tera")]
pub use self::site::{Page, Site, StaticFile};
#[cfg(feature = "tera")]
pub use self::views::{View, ViewError, ViewErrorKind, Views};
pub use dogpile_plugin_api::{TemplateOutcome, TemplatePart};
