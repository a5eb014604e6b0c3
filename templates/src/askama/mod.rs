//! Askama 0.16: pages, fragments and nested templates in the cache.
//!
//! ```
//! use std::time::Duration;
//!
//! use askama::Template;
//! use dogpile::{Host, RegionConfig, TemplatesConfig};
//! use dogpile_templates::ViewCache;
//! use dogpile_templates::askama::{CachedTemplate, filters};
//!
//! struct Order { id: u32, text: String }
//!
//! #[derive(Template, CachedTemplate)]
//! #[template(ext = "html", source = r#"
//! <h1>{{ shop }}</h1>
//! {% for order in orders %}{% filter cached(("row", order.id), expiration_time = "1h") %}
//!   <li>{{ order.id }}: {{ order.text }}</li>
//! {% endfilter %}{% endfor %}"#)]
//! struct Orders<'a> { shop: &'a str, orders: Vec<Order> }
//!
//! let host = Host::builder()
//!     .plugin(dogpile_plugin_memory::plugin())
//!     .plugin(dogpile_plugin_template_cache::plugin())
//!     .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_secs(60)))
//!     .templates(TemplatesConfig::new("template-cache"))
//!     .build()?;
//! let cache = ViewCache::new(&host);
//!
//! let load = || vec![Order { id: 7, text: "tea".to_owned() }];
//! let page = Orders::view(&cache).key(&"my shop");
//! let html = page.render(|| Orders { shop: "My shop", orders: load() })?;
//! assert!(html.contains("<li>7: tea</li>"));
//!
//! Orders::fragment(&cache, "row")?.key(&7_u32).invalidate()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Pages
//!
//! [`CachedTemplate::view`] renders a template with its fragments from the cache; with a key, the whole text is kept
//! too, and on a hit the template is not even made. What was [installed](install) is the cache of `render_cached`, and
//! of templates that askama renders alone.
//!
//! # Fragments
//!
//! `{% filter cached(("NAME", …), expiration_time = …, region = …, tags = […], when = …) %}…{% endfilter %}`. The body
//! does not run when its text is in the cache. Nothing but the name must be given; an argument that there is none is
//! refused when the program is compiled:
//!
//! - The name, and what the text varies by: up to eight values. Whatever the body uses must follow from them, or be the
//!   same for all who see the page: a body that shows the user's name has the user in its key. A `String` is borrowed:
//!   `cached(("row", &user.name))`.
//! - `expiration_time`: see [`ExpirationTime`]. `region`: a region's name. `tags`: a list of texts. Without, the page
//!   says, else the template cache, else the region.
//! - `when`: where it is false, the body is rendered without the cache.
//!
//! The names of the fragments of a template, with those in what it extends, includes and imports, are written out and
//! differ. The derive knows them by the filter's own name, by whatever path: one that was imported under another name
//! (`cached as kept`) is not seen, and would share its text with a fragment that has its name. Fragments may stand within each other. `{{ Card { item }|cached_tpl(item.id) }}` keeps another template's
//! text: see [`filters`].
//!
//! ```compile_fail
//! # use askama::Template;
//! use dogpile_templates::askama::filters;
//!
//! #[derive(Template)]
//! #[template(source = r#"{% filter cached("a", expires = 60) %}{% endfilter %}"#, ext = "html")]
//! struct Page;
//! ```
//!
//! ```
//! # use askama::Template;
//! use dogpile_templates::askama::filters;
//!
//! #[derive(Template)]
//! #[template(source = r#"{% filter cached("a", expiration_time = 60) %}{% endfilter %}"#, ext = "html")]
//! struct Page;
//! ```
//!
//! A body borrows from its page, so that it is never refreshed in the background: when its text expires, one caller
//! renders it, and the others have the old one meanwhile.
//!
//! # What a digest holds
//!
//! The key of a text holds the digest of what it is made of, so that no edit is served old after the program was built
//! and started anew, while what the edit does not concern stays in a cache that outlives the program. The derive makes
//! it when the program is compiled, with no build script, of: the item with its attributes, and thus of a template that
//! is written in them; the template's file, and all that it extends, includes and imports; `askama.toml`; and the
//! digests of the templates among the types of its fields (also behind references, `Box`, `Rc`, `Arc`, `Option`, lists
//! and maps).
//!
//! *A template that comes from elsewhere* (made in an expression, got from a method, from a field of a field, or as a
//! type parameter) *is not seen*: name its type by `#[renders(Card)]` at the one which renders it. Where such a one is
//! rendered by `cached_tpl`, or has cached fragments, a warning tells that it is missing. What else templates can call
//! (functions, methods, filters) is not part of a digest: give a region another `value_version` when their results
//! change.
//!
//! A template with cached fragments that does not derive `CachedTemplate`, or that askama renders alone, has the digest
//! of the program's own file instead, made when it is first needed: nothing old is served, and all its fragments are
//! rendered anew by every build. Templates in a dynamic library are not part of that file: derive it there.
//!
//! # Errors
//!
//! A page ends with its own error or panic, which is not cached; who waited for it has [`RenderFailed`]. Whatever fails
//! in the cache, the page is rendered, and the log tells why, with the template's file and line.

mod arguments;
pub mod filters;
mod handle;
mod identity;
#[doc(hidden)]
pub mod parts;
mod program;
mod rendered;
mod template;
mod view;

pub use self::arguments::{ExpirationTime, FragmentKey};
pub use self::handle::{install, installed};
pub use self::rendered::RenderFailed;
pub use self::template::CachedTemplate;
pub use self::view::View;
pub use dogpile_templates_derive::CachedTemplate;
