use std::fmt;
use std::marker::PhantomData;

use ::askama::{NO_VALUES, Values};
use dogpile::{Expiration, Invalidation, KeyArgument};

use super::CachedTemplate;
use super::handle::{Handle, WithHandle};
use super::identity::{self, Identity};
use super::rendered::rendered;
use crate::cache::{PageCall, Part, Rendered, ViewCache, ViewCacheError};

/// A template as a page; from [`CachedTemplate::view`].
///
/// It is rendered each time, with its fragments from the cache, unless [`cached`](Self::cached) or [`key`](Self::key)
/// says that its whole text is to be kept. Region and expiration time are also those of its fragments that name none.
#[must_use = "a view does nothing until one of its calls is made"]
pub struct View<'a, T> {
    cache: &'a ViewCache,
    identity: &'static Identity,
    call: PageCall,
    when: bool,
    values: &'a dyn Values,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: CachedTemplate> View<'a, T> {
    pub(super) fn new(cache: &'a ViewCache) -> Self {
        Self {
            cache,
            identity: identity::of::<T>(),
            call: PageCall::default(),
            when: true,
            values: NO_VALUES,
            of: PhantomData,
        }
    }

    /// Its whole text is kept, the same for all who ask.
    pub fn cached(mut self) -> Self {
        self.call.cached = true;
        self
    }

    /// Its whole text is kept, and varies by this: one more part of its key. Whatever the text depends on beside its
    /// template must be in the key: a page with private data names its user.
    pub fn key<K: KeyArgument>(mut self, part: &K) -> Self {
        self.call.key(part);
        self
    }

    /// The region of the page, and of its fragments that name none.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.call.options.region = Some(region.into());
        self
    }

    /// The expiration time of the page, and of its fragments that name none.
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.call.options.expiration_time = Some(time.into());
        self
    }

    /// Tags of the page: fragments have their own.
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.call.tags(tags);
        self
    }

    /// Whether the text of the page is kept this time; its fragments are, all the same. Default: yes.
    pub fn when(mut self, cached: bool) -> Self {
        self.when &= cached;
        self
    }

    /// Whether the cache is used for the page and its fragments: Mako's `cache_enabled`. Default: yes.
    pub fn cache_enabled(mut self, enabled: bool) -> Self {
        self.call.options.off = !enabled;
        self
    }

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
        rendered(self.part().when(self.when), || {
            render(&WithHandle {
                handle: Handle {
                    cache: self.cache.clone(),
                    root: Some(self.identity),
                    options: self.call.options.clone(),
                },
                values: self.values,
            })
        })
    }

    /// The stored text, if there is a fresh one.
    ///
    /// # Errors
    ///
    /// Those of [`Part::get`].
    pub fn get(&self) -> Result<Option<Rendered>, ViewCacheError> {
        self.part().get()
    }

    /// Stores a text, as if it had been rendered now.
    ///
    /// # Errors
    ///
    /// Those of [`Part::set`].
    pub fn set(&self, text: impl Into<String>) -> Result<(), ViewCacheError> {
        self.part().set(text)
    }

    /// Removes the text of this key: Mako's `invalidate_body`.
    ///
    /// # Errors
    ///
    /// Those of [`Part::invalidate`].
    pub fn invalidate(&self) -> Result<(), ViewCacheError> {
        self.part().invalidate()
    }

    /// Outdates the texts of all keys.
    ///
    /// # Errors
    ///
    /// Those of [`Part::invalidate_all`].
    pub fn invalidate_all(&self, how: Invalidation) -> Result<(), ViewCacheError> {
        self.part().invalidate_all(how)
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
