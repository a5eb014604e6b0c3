//! A call with options.

use std::error::Error as StdError;

use super::call::{Call, Expiration};
use super::form::Json;
use super::{Cacheable, Cached, Region, creator_failed};
use crate::Result;

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
pub struct Entry<'a, P = Always> {
    region: &'a Region,
    key: &'a str,
    call: Call,
    should_cache: P,
}

/// Whether a created value is stored.
pub trait ShouldCache<T> {
    /// Whether `value` is stored. If not, its callers get it all the same.
    fn should_cache(&self, value: &T) -> bool;
}

/// Every value is stored.
pub struct Always;

impl<T> ShouldCache<T> for Always {
    fn should_cache(&self, _: &T) -> bool {
        true
    }
}

impl<T, P: Fn(&T) -> bool> ShouldCache<T> for P {
    fn should_cache(&self, value: &T) -> bool {
        self(value)
    }
}

impl<'a> Entry<'a> {
    pub(super) fn new(region: &'a Region, key: &'a str) -> Self {
        Self {
            region,
            key,
            call: Call::default(),
            should_cache: Always,
        }
    }
}

impl<'a, P> Entry<'a, P> {
    /// This call's expiration time instead of the region's: it judges the stored value and, with `get_or_create` and
    /// `set`, says how long a backend keeps the new one. It is not stored with the value.
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.call.expire(time.into());
        self
    }

    /// A created value is stored only if this says so. Callers who waited for it get it all the same.
    pub fn should_cache<T, Q: Fn(&T) -> bool>(self, should_cache: Q) -> Entry<'a, Q> {
        Entry {
            region: self.region,
            key: self.key,
            call: self.call,
            should_cache,
        }
    }

    /// See [`Region::get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_or_create<T: Cacheable>(self, creator: impl FnOnce() -> T) -> Result<Cached<T>>
    where
        P: ShouldCache<T>,
    {
        let keep = |value: &T| self.should_cache.should_cache(value);
        self.region
            .fetch::<T, Json>(self.key, &self.call, || Ok(creator()), keep)
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
    {
        let keep = |value: &T| self.should_cache.should_cache(value);
        self.region.fetch::<T, Json>(
            self.key,
            &self.call,
            || creator().map_err(creator_failed),
            keep,
        )
    }

    /// See [`Region::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get<T: Cacheable>(self) -> Result<Option<Cached<T>>> {
        self.region.look::<T, Json>(self.key, &self.call)
    }

    /// See [`Region::set`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set<T: Cacheable>(self, value: T) -> Result<Cached<T>> {
        self.region.put::<T, Json>(self.key, &self.call, value)
    }
}
