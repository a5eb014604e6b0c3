use std::any;

use ::askama::Template;
use dogpile::KeyArgument;

use super::handle;
use super::identity::{self, Identity};
use super::parts::{Contents, Source};
use super::view::View;
use crate::cache::{Part, Rendered, ViewCache, ViewCacheError};

/// A template of which the cache knows what it is made of: by `#[derive(askama::Template, CachedTemplate)]`.
///
/// The derive reads the files that `#[template(…)]` leads to, when the program is compiled, as askama itself does; so
/// the digest is always that of the text that was compiled. What else it reads:
///
/// - `#[renders(Card, Row)]`: templates that this one renders as values and that are not the types of its fields. See
///   [the module](super#what-a-digest-holds).
///
/// ```
/// use askama::Template;
/// use dogpile_templates::askama::CachedTemplate;
///
/// #[derive(Template, CachedTemplate)]
/// #[template(source = "Hello {{ name }}", ext = "html")]
/// struct Hello<'a> {
///     name: &'a str,
/// }
/// ```
///
/// Two of its fragments that have one name are refused, wherever they are written:
///
/// ```compile_fail
/// # use askama::Template;
/// use dogpile_templates::askama::{CachedTemplate, filters};
///
/// #[derive(Template, CachedTemplate)]
/// #[template(source = r#"{% filter cached("a") %}1{% endfilter %}{% filter cached("a") %}2{% endfilter %}"#, ext = "html")]
/// struct Twice;
/// ```
///
/// ```
/// # use askama::Template;
/// use dogpile_templates::askama::{CachedTemplate, filters};
///
/// #[derive(Template, CachedTemplate)]
/// #[template(source = r#"{% filter cached("a") %}1{% endfilter %}{% filter cached("b") %}2{% endfilter %}"#, ext = "html")]
/// struct Twice;
/// ```
#[diagnostic::on_unimplemented(
    message = "the cache does not know what the template `{Self}` is made of",
    note = "derive `dogpile_templates::askama::CachedTemplate` for it, beside `askama::Template`"
)]
pub trait CachedTemplate: Template {
    #[doc(hidden)]
    const SOURCE: Source;

    #[doc(hidden)]
    fn contents(contents: &mut Contents);

    #[doc(hidden)]
    fn type_name() -> &'static str {
        any::type_name::<Self>()
    }

    #[doc(hidden)]
    fn identity() -> &'static Identity {
        identity::of::<Self>()
    }

    /// This template as a page, to render, get, set or invalidate.
    fn view(cache: &ViewCache) -> View<'_, Self>
    where
        Self: Sized,
    {
        View::new(cache)
    }

    /// One of its cached fragments, or of those of what it extends, includes and imports, as it is rendered in this
    /// template; with the key yet to be named. Region and expiration time are those of its call, where they are written
    /// out there.
    ///
    /// # Errors
    ///
    /// If there is no such fragment.
    fn fragment<'a>(cache: &'a ViewCache, name: &str) -> Result<Part<'a>, ViewCacheError> {
        let identity = Self::identity();
        Ok(identity.fragment(name)?.part(cache, identity))
    }

    /// The page from the [installed](super::install) cache, or rendered. It varies by `key`: whatever the text depends on
    /// beside the template must be in it. [`view`](Self::view) can say more, and makes the template only if it is
    /// rendered.
    ///
    /// # Errors
    ///
    /// Those of [`View::render`].
    fn render_cached<K: KeyArgument>(&self, key: &K) -> ::askama::Result<Rendered>
    where
        Self: Sized,
    {
        View::<Self>::new(&handle::installed())
            .key(key)
            .render_with(|values| self.render_with_values(values))
    }
}

/// So that filters can be given a template or a reference to one.
impl<T: CachedTemplate> CachedTemplate for &T {
    const SOURCE: Source = T::SOURCE;

    fn contents(contents: &mut Contents) {
        T::contents(contents);
    }

    fn type_name() -> &'static str {
        T::type_name()
    }

    fn identity() -> &'static Identity {
        T::identity()
    }
}
