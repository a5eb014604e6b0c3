//! A call with options.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::future::ready;

use dogpile_plugin_api::Expiration;

use super::background::{Background, BackgroundAsync};
use super::call::{Call, GivenTags};
use super::form::Serde;
use super::goal::{Anew, Once};
use super::keep::{Always, ByRegion, Keep, NoneExpires, OwnExpiration, ShouldCache};
use super::way::Way;
use super::{Cacheable, Cached, Region, creator_failed};
use crate::Result;
use crate::slot::Tags;

/// One key with the options of one call, from [`Region::entry`].
///
/// ```
/// # use dogpile::{Host, RegionConfig};
/// # use std::time::Duration;
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("users", "memory").expiration_time(Duration::from_secs(300)))
/// #     .build()?;
/// # let users = host.region("users")?;
/// let name = users
///     .entry("user:42")
///     .expiration_time(Duration::from_secs(5))
///     .should_cache(|name: &String| !name.is_empty())
///     .get_or_create(|| String::from("Ada"))?;
/// # Ok::<(), dogpile::Error>(())
/// ```
#[must_use = "an entry does nothing until one of its calls is made"]
pub struct Entry<'a, P = Always, X = ByRegion> {
    region: &'a Region,
    key: Cow<'a, str>,
    call: Call<'a>,
    rule: (P, X),
}

impl<'a> Entry<'a> {
    pub(super) fn new(region: &'a Region, key: Cow<'a, str>) -> Self {
        Self {
            region,
            key,
            call: Call::default(),
            rule: (Always, ByRegion),
        }
    }
}

impl<'a, P> Entry<'a, P> {
    /// Gives the value that is stored an expiration time of its own, which `expiration` makes from the value: of a
    /// response, what its server says. It is stored with the value and takes the place of the region's for whoever reads
    /// it, in this process and in others; a reader can shorten it by its own [`Entry::expiration_time`], but not stretch
    /// it. Python's dogpile.cache reads such a value by its region's.
    ///
    /// ```
    /// # use dogpile::{Expiration, Host, RegionConfig};
    /// # use std::time::Duration;
    /// # let host = Host::builder()
    /// #     .plugin(dogpile_plugin_memory::plugin())
    /// #     .region(RegionConfig::on("tokens", "memory").expiration_time(Duration::from_secs(300)))
    /// #     .build()?;
    /// # let tokens = host.region("tokens")?;
    /// # fn fetch_token() -> (String, u64) { (String::from("t"), 20) }
    /// let token = tokens
    ///     .entry("token")
    ///     .expiration_from(|(_, seconds): &(String, u64)| Duration::from_secs(*seconds).into())
    ///     .get_or_create(fetch_token)?;
    /// # Ok::<(), dogpile::Error>(())
    /// ```
    pub fn expiration_from<T, Q: Fn(&T) -> Expiration>(self, expiration: Q) -> Entry<'a, P, Q> {
        self.with_rule(|(should_cache, ByRegion)| (should_cache, expiration))
    }
}

impl<'a, P, X> Entry<'a, P, X> {
    /// This call's expiration time instead of the region's: it judges the stored value and, with `get_or_create` and
    /// `set`, says how long a backend keeps the new one. It is not stored with the value: [`Entry::expiration_from`] is.
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.call.expire(time.into());
        self
    }

    /// Gives a `None` that is stored an expiration time of its own, as [`Entry::expiration_from`] does: usually a short
    /// one, for what may soon be there. It is called after `expiration_from`, which says it of other values.
    pub fn none_expiration_time(self, time: impl Into<Expiration>) -> Entry<'a, P, NoneExpires<X>> {
        let expiration = time.into();
        self.with_rule(|(should_cache, others)| (should_cache, NoneExpires { expiration, others }))
    }

    /// The value that this call creates or sets has these tags: [`Region::invalidate_tags`] outdates it by each of
    /// them. They are stored with it, so that others see them too. What a call reads is judged by the tags that it was
    /// stored with, whatever the call says.
    ///
    /// ```
    /// # use dogpile::{Host, Invalidation, RegionConfig};
    /// # let host = Host::builder()
    /// #     .plugin(dogpile_plugin_memory::plugin())
    /// #     .region(RegionConfig::on("pages", "memory"))
    /// #     .build()?;
    /// # let pages = host.region("pages")?;
    /// pages.entry("cart:42").tags(["user:42", "carts"]).set(7)?;
    /// pages.invalidate_tags(["user:42"], Invalidation::Hard)?;
    /// assert!(pages.get::<i32>("cart:42")?.is_none());
    /// # Ok::<(), dogpile::Error>(())
    /// ```
    pub fn tags<T: Into<Box<str>>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tagged(Tags::new(tags))
    }

    /// As [`Entry::tags`], with tags that are made only when something is created or stored: a hit is spared them. They
    /// must be the same each time.
    pub fn tags_by(mut self, tags: &'a (dyn Fn() -> Vec<String> + Sync)) -> Self {
        self.call.tags = GivenTags::Made(tags);
        self
    }

    pub(crate) fn tagged(mut self, tags: Tags) -> Self {
        self.call.tags = GivenTags::Known(tags);
        self
    }

    /// The caller gets what it creates, whatever fails in the cache: reading and storing are as if the region's
    /// `on_backend_error` were `"bypass"`, and a value that cannot be serialised is not stored. So such a call ends with
    /// an error only if its creator has not run, or failed itself.
    pub fn bypass(mut self) -> Self {
        self.call.bypass = true;
        self
    }

    /// A created value is stored only if this says so. Callers who waited for it get it all the same.
    pub fn should_cache<T, Q: Fn(&T) -> bool>(self, should_cache: Q) -> Entry<'a, Q, X> {
        self.with_rule(|(_, expiration)| (should_cache, expiration))
    }

    fn with_rule<Q, Y>(self, rule: impl FnOnce((P, X)) -> (Q, Y)) -> Entry<'a, Q, Y> {
        Entry {
            region: self.region,
            key: self.key,
            call: self.call,
            rule: rule(self.rule),
        }
    }

    /// A creator that may be run on another thread, while this call is served a stale value, or a fresh one that is not
    /// fresh for much longer. See [`Background::get_or_create`].
    pub fn background<C>(self, creator: C) -> Background<'a, C, P, X> {
        Background::new(self, creator)
    }

    /// An asynchronous creator that may be run as a task of its own, while this call is served a stale value, or a fresh
    /// one that is not fresh for much longer. See [`BackgroundAsync::get_or_create`].
    pub fn background_async<C>(self, creator: C) -> BackgroundAsync<'a, C, P, X> {
        BackgroundAsync::new(self, creator)
    }

    pub(super) fn into_parts(self) -> (&'a Region, Cow<'a, str>, Call<'a>, (P, X)) {
        (self.region, self.key, self.call, self.rule)
    }

    /// See [`Region::get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_or_create<T: Cacheable>(self, creator: impl FnOnce() -> T) -> Result<Cached<T>>
    where
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let goal = Once::new(|| ready(Ok(creator())), self.rule);
        self.region.fetch::<T, Serde>(&self.key, &self.call, goal)
    }

    /// See [`Region::try_get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get_or_create<T: Cacheable, E: Into<Box<dyn StdError + Send + Sync>>>(
        self,
        creator: impl FnOnce() -> Result<T, E>,
    ) -> Result<Cached<T>>
    where
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let create = || ready(creator().map_err(creator_failed));
        let goal = Once::new(create, self.rule);
        self.region.fetch::<T, Serde>(&self.key, &self.call, goal)
    }

    /// See [`Region::refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn refresh<T: Cacheable>(self, creator: impl FnOnce() -> T) -> Result<Cached<T>>
    where
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let goal = Anew::new(self.region, || ready(Ok(creator())), self.rule);
        self.region.renew::<T, Serde>(&self.key, &self.call, goal)
    }

    /// See [`Region::try_refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_refresh<T: Cacheable, E: Into<Box<dyn StdError + Send + Sync>>>(
        self,
        creator: impl FnOnce() -> Result<T, E>,
    ) -> Result<Cached<T>>
    where
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let create = || ready(creator().map_err(creator_failed));
        let goal = Anew::new(self.region, create, self.rule);
        self.region.renew::<T, Serde>(&self.key, &self.call, goal)
    }

    /// See [`Region::get_or_create_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create_async<T, C, F>(self, creator: C) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> F,
        F: Future<Output = T>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let goal = Once::new(|| async { Ok(creator().await) }, self.rule);
        self.region
            .fetch_async::<T, Serde>(&self.key, &self.call, goal)
            .await
    }

    /// See [`Region::try_get_or_create_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_get_or_create_async<T, E, C, F>(self, creator: C) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let create = || async { creator().await.map_err(creator_failed) };
        let goal = Once::new(create, self.rule);
        self.region
            .fetch_async::<T, Serde>(&self.key, &self.call, goal)
            .await
    }

    /// See [`Region::refresh_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn refresh_async<T, C, F>(self, creator: C) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> F,
        F: Future<Output = T>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let create = || async { Ok(creator().await) };
        let goal = Anew::new(self.region, create, self.rule);
        self.region
            .renew_async::<T, Serde>(&self.key, &self.call, goal)
            .await
    }

    /// See [`Region::try_refresh_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_refresh_async<T, E, C, F>(self, creator: C) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let create = || async { creator().await.map_err(creator_failed) };
        let goal = Anew::new(self.region, create, self.rule);
        self.region
            .renew_async::<T, Serde>(&self.key, &self.call, goal)
            .await
    }

    /// See [`Region::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get<T: Cacheable>(self) -> Result<Option<Cached<T>>> {
        self.region.look::<T, Serde>(&self.key, &self.call)
    }

    /// See [`Region::get_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_async<T: Cacheable>(self) -> Result<Option<Cached<T>>> {
        self.region
            .look_on::<T, Serde>(Way::Pool, &self.key, &self.call)
            .await
    }

    /// See [`Region::set`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set<T: Cacheable>(self, value: T) -> Result<Cached<T>>
    where
        X: OwnExpiration<T>,
    {
        let call = self.call_to_set(&value);
        self.region.put::<T, Serde>(&self.key, &call, value)
    }

    /// See [`Region::set_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn set_async<T: Cacheable>(self, value: T) -> Result<Cached<T>>
    where
        X: OwnExpiration<T>,
    {
        let call = self.call_to_set(&value);
        self.region
            .put_on::<T, Serde>(Way::Pool, &self.key, &call, value)
            .await
    }

    /// What is set is stored whatever `should_cache` says.
    fn call_to_set<T>(&self, value: &T) -> Call<'a>
    where
        X: OwnExpiration<T>,
    {
        self.call
            .storing(Keep::stored(self.rule.1.own_expiration(value)))
    }
}
