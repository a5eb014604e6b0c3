//! A region for values that are not serde types.

use std::error::Error as StdError;
use std::future::ready;
use std::sync::atomic::Ordering;

use dogpile_plugin_api::Storage;

use super::call::Call;
use super::form::AsObject;
use super::goal::Once;
use super::keep::Always;
use super::{CacheKey, Cached, Region, creator_failed};
use crate::registry::configured;
use crate::{Error, ErrorKind, Result};

/// A region as a cache of objects: any `T` that threads may share, never serialised. From [`Region::objects`].
pub struct Objects<'a> {
    region: &'a Region,
}

impl<'a> Objects<'a> {
    pub(super) fn new(region: &'a Region) -> Result<Self> {
        // Under the slots' lock, so that a reload either sees the mark or comes first.
        let _slots = region.registry().slots();
        let snapshot = region.registry().load();
        if configured(&snapshot, region.slot())?
            .instance
            .properties
            .storage
            == Storage::Bytes
        {
            return Err(Error::new(
                ErrorKind::NotObjects,
                format!(
                    "region `{}`: its backend holds bytes; `objects()` needs one that holds objects, such as `memory`",
                    region.name()
                ),
            ));
        }
        region.slot().objects.store(true, Ordering::SeqCst);
        Ok(Self { region })
    }

    /// See [`Region::get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_or_create<T: Send + Sync + 'static>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> T,
    ) -> Result<Cached<T>> {
        let goal = Once::new(|| ready(Ok(creator())), Always);
        self.region
            .fetch::<T, AsObject>(&key.cache_key(), Call::PLAIN, goal)
    }

    /// See [`Region::try_get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get_or_create<T: Send + Sync + 'static, E: Into<Box<dyn StdError + Send + Sync>>>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> Result<T, E>,
    ) -> Result<Cached<T>> {
        let goal = Once::new(|| ready(creator().map_err(creator_failed)), Always);
        self.region
            .fetch::<T, AsObject>(&key.cache_key(), Call::PLAIN, goal)
    }

    /// See [`Region::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get<T: Send + Sync + 'static>(&self, key: impl CacheKey) -> Result<Option<Cached<T>>> {
        self.region
            .look::<T, AsObject>(&key.cache_key(), Call::PLAIN)
    }

    /// See [`Region::set`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set<T: Send + Sync + 'static>(&self, key: impl CacheKey, value: T) -> Result<Cached<T>> {
        self.region
            .put::<T, AsObject>(&key.cache_key(), Call::PLAIN, value)
    }

    /// See [`Region::get_or_create_async`].
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
        T: Send + Sync + 'static,
        C: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let goal = Once::new(|| async { Ok(creator().await) }, Always);
        self.region
            .fetch_async::<T, AsObject>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }

    /// See [`Region::try_get_or_create_async`].
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
        T: Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let create = || async { creator().await.map_err(creator_failed) };
        let goal = Once::new(create, Always);
        self.region
            .fetch_async::<T, AsObject>(&key.cache_key(), Call::PLAIN, goal)
            .await
    }
}
