use std::borrow::Cow;

use dogpile::{Argument, Expiration, KeyArgument};
use dogpile_plugin_api::KeyParts;

use super::reused::Reused;
use super::{PageOptions, Part, Template, ViewCache};

/// What a call says of a page, whatever its engine.
#[derive(Clone, Debug, Default)]
#[cfg_attr(
    feature = "tera",
    expect(
        clippy::struct_excessive_bools,
        reason = "each is a word of the call's own"
    )
)]
pub(crate) struct PageCall<'a> {
    /// Whether its whole text is kept.
    pub(crate) cached: bool,
    /// Not this time.
    pub(crate) unless: bool,
    key: Reused<KeyParts>,
    /// Why a part of the key is none: that is told when it is used.
    fault: Option<String>,
    tags: Vec<String>,
    pub(crate) region: Option<Cow<'a, str>>,
    pub(crate) expiration_time: Option<Expiration>,
    /// Mako's `cache_enabled = False`.
    pub(crate) off: bool,
    /// Whether fragments may be rendered on other threads.
    #[cfg(feature = "tera")]
    pub(crate) background: bool,
}

impl PageCall<'_> {
    /// One more part of the key.
    pub(crate) fn key<T: KeyArgument>(&mut self, part: &T) {
        self.cached = true;
        let key = self.key.room();
        let written = key.push_by(|text| Argument::new("key", part).write(text));
        if let Err(error) = written {
            self.fault.get_or_insert_with(|| error.to_string());
        }
    }

    pub(crate) fn tags<T: Into<String>>(&mut self, tags: impl IntoIterator<Item = T>) {
        self.tags.extend(tags.into_iter().map(Into::into));
    }

    /// What it says of the page's fragments.
    pub(crate) fn options(&self) -> PageOptions {
        PageOptions {
            region: self.region.as_deref().map(str::to_owned),
            expiration_time: self.expiration_time,
            off: self.off,
            #[cfg(feature = "tera")]
            background: self.background,
        }
    }

    /// The page in the cache.
    pub(crate) fn part<'s>(&'s self, cache: &'s ViewCache, template: &'s Template) -> Part<'s> {
        let mut part = cache.page(template).key_parts(&self.key);
        part = part.when(self.cached && !self.unless && !self.off);
        if let Some(why) = &self.fault {
            part = part.without_cache(why.clone());
        }
        if let Some(region) = &self.region {
            part = part.region(region);
        }
        if let Some(time) = self.expiration_time {
            part = part.expiration_time(time);
        }
        part.tags(self.tags.iter().cloned())
    }
}

/// What calls of all engines say of a page, and what they do with its text, as methods of a type with a `call: PageCall`
/// and a method `whole`, which gives the page's `Part`.
macro_rules! page_call_methods {
    () => {
        /// Its whole text is kept, the same for all who ask.
        pub fn cached(mut self) -> Self {
            self.call.cached = true;
            self
        }

        /// Its whole text is kept, and varies by this: one more part of its key. Whatever the text depends on beside its
        /// templates must be in the key: a page with private data names its user.
        pub fn key<K: dogpile::KeyArgument>(mut self, part: &K) -> Self {
            self.call.key(part);
            self
        }

        /// The region of the page, and of its fragments that name none.
        pub fn region(mut self, region: impl Into<std::borrow::Cow<'a, str>>) -> Self {
            self.call.region = Some(region.into());
            self
        }

        /// The expiration time of the page, and of its fragments that name none.
        pub fn expiration_time(mut self, time: impl Into<dogpile::Expiration>) -> Self {
            self.call.expiration_time = Some(time.into());
            self
        }

        /// Tags of the page: fragments have their own.
        pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
            self.call.tags(tags);
            self
        }

        /// Whether the text of the page is kept this time; its fragments are, all the same. Default: yes.
        pub fn when(mut self, cached: bool) -> Self {
            self.call.unless |= !cached;
            self
        }

        /// Whether the cache is used for the page and its fragments: Mako's `cache_enabled`. Default: yes.
        pub fn cache_enabled(mut self, enabled: bool) -> Self {
            self.call.off = !enabled;
            self
        }

        /// The stored text, if there is a fresh one.
        ///
        /// # Errors
        ///
        /// Those of [`Part::get`](crate::Part::get).
        pub fn get(&self) -> Result<Option<crate::Rendered>, crate::ViewCacheError> {
            self.whole()?.get()
        }

        /// Stores a text, as if it had been rendered now.
        ///
        /// # Errors
        ///
        /// Those of [`Part::set`](crate::Part::set).
        pub fn set(&self, text: impl Into<String>) -> Result<(), crate::ViewCacheError> {
            self.whole()?.set(text)
        }

        /// Removes the text of this key: Mako's `invalidate_body`.
        ///
        /// # Errors
        ///
        /// Those of [`Part::invalidate`](crate::Part::invalidate).
        pub fn invalidate(&self) -> Result<(), crate::ViewCacheError> {
            self.whole()?.invalidate()
        }

        /// Outdates the texts of all keys.
        ///
        /// # Errors
        ///
        /// Those of [`Part::invalidate_all`](crate::Part::invalidate_all).
        pub fn invalidate_all(
            &self,
            how: dogpile::Invalidation,
        ) -> Result<(), crate::ViewCacheError> {
            self.whole()?.invalidate_all(how)
        }
    };
}

pub(crate) use page_call_methods;
