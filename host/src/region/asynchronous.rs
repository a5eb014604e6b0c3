//! The calls of a region, for tasks.

use std::error::Error as StdError;

use super::call::Call;
use super::form::Serde;
use super::goal::{Anew, Once};
use super::keep::Always;
use super::way::Way;
use super::{CacheKey, Cacheable, Cached, Region, creator_failed};
use crate::Result;

/// For asynchronous callers, on every runtime. They share flights with callers that block: for one key, one creation.
///
/// Calls of a backend that can block are made on a bounded pool of the host's; those of one that cannot, such as
/// `memory`, are made in line. To drop the future of a call drops its creator's, and the next caller that waits takes over.
///
/// A creator may call for other keys. Where creators are nested more than three deep in one expression, the compiler may
/// ask for `#![recursion_limit = "256"]` to see that a future can be sent to another thread.
impl Region {
    /// See [`Region::get_or_create`]. The creator's future is polled by this one.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create_async<T, C, F>(
        &self,
        key: impl CacheKey,
        creator: C,
    ) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let goal = Once::new(|| async { Ok(creator().await) }, Always);
        self.fetch_async::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }

    /// See [`Region::try_get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_get_or_create_async<T, E, C, F>(
        &self,
        key: impl CacheKey,
        creator: C,
    ) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let goal = Once::new(|| async { creator().await.map_err(creator_failed) }, Always);
        self.fetch_async::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }

    /// See [`Region::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_async<T: Cacheable>(&self, key: impl CacheKey) -> Result<Option<Cached<T>>> {
        self.look_on::<T, Serde>(Way::Pool, &key.cache_key(), Call::PLAIN)
            .await
    }

    /// See [`Region::set`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn set_async<T: Cacheable>(&self, key: impl CacheKey, value: T) -> Result<Cached<T>> {
        self.put_on::<T, Serde>(Way::Pool, &key.cache_key(), Call::PLAIN, value)
            .await
    }

    /// See [`Region::delete`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn delete_async(&self, key: impl CacheKey) -> Result<()> {
        self.delete_on(Way::Pool, &key.cache_key()).await
    }

    /// See [`Region::clear`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn clear_async(&self) -> Result<()> {
        self.clear_on(Way::Pool).await
    }

    /// See [`Region::refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn refresh_async<T, C, F>(&self, key: impl CacheKey, creator: C) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let goal = Anew::new(self, || async { Ok(creator().await) }, Always);
        self.renew_async::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }

    /// See [`Region::try_refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_refresh_async<T, E, C, F>(
        &self,
        key: impl CacheKey,
        creator: C,
    ) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let create = || async { creator().await.map_err(creator_failed) };
        let goal = Anew::new(self, create, Always);
        self.renew_async::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }
}
