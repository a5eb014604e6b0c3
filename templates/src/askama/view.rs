use std::fmt;
use std::marker::PhantomData;

use ::askama::{NO_VALUES, Values};

use super::CachedTemplate;
use super::handle::{Handle, WithHandle};
use super::identity::Identity;
use super::rendered::rendered;
use crate::cache::{PageCall, Part, Rendered, ViewCache, ViewCacheError, page_call_methods};

/// A template as a page; from [`CachedTemplate::view`].
///
/// It is rendered each time, with its fragments from the cache, unless [`cached`](Self::cached) or [`key`](Self::key)
/// says that its whole text is to be kept. Region and expiration time are also those of its fragments that name none.
#[must_use = "a view does nothing until one of its calls is made"]
pub struct View<'a, T> {
    cache: &'a ViewCache,
    identity: &'static Identity,
    call: PageCall<'a>,
    values: &'a dyn Values,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: CachedTemplate> View<'a, T> {
    pub(super) fn new(cache: &'a ViewCache) -> Self {
        Self {
            cache,
            identity: T::identity(),
            call: PageCall::default(),
            values: NO_VALUES,
            of: PhantomData,
        }
    }

    page_call_methods!();

    /// Values for askama's filter `value`. Nothing of them is in the key.
    pub fn values(mut self, values: &'a dyn Values) -> Self {
        self.values = values;
        self
    }

    /// The page, from the cache or rendered. `template` is made only if the page is.
    ///
    /// # Errors
    ///
    /// The template's own; it is not cached. Nothing that fails in the cache is one.
    pub fn render(self, template: impl FnOnce() -> T) -> ::askama::Result<Rendered> {
        self.render_with(|values| template().render_with_values(values))
    }

    pub(super) fn render_with(
        self,
        render: impl FnOnce(&dyn Values) -> ::askama::Result<String>,
    ) -> ::askama::Result<Rendered> {
        rendered(self.part(), || {
            render(&WithHandle {
                handle: Handle {
                    cache: self.cache.clone(),
                    root: Some(self.identity),
                    options: self.call.options(),
                },
                values: self.values,
            })
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "pages of other engines may have no template"
    )]
    fn whole(&self) -> Result<Part<'_>, ViewCacheError> {
        Ok(self.part())
    }

    fn part(&self) -> Part<'_> {
        let part = self.call.part(self.cache, &self.identity.page);
        part.escaping(self.identity.escaping())
    }
}

impl<T> fmt::Debug for View<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("template", &self.identity.page.name())
            .field("cached", &self.call.cached)
            .finish_non_exhaustive()
    }
}
