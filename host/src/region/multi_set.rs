//! Values stored under several keys with the options of one call.

use dogpile_lock::Blocking;

use super::multi::Keys;
use super::way::Way;
use super::{CacheKey, Cacheable, Cached, Entries};
use crate::Result;

impl<K: CacheKey, P> Entries<'_, K, P> {
    /// See [`Entry::bypass`](super::Entry::bypass).
    pub(crate) fn bypass(mut self) -> Self {
        self.parts().2.bypass = true;
        self
    }

    /// Stores a value under each key, in their order, all as created now; see
    /// [`Region::set_multi`](super::Region::set_multi). Keys without a value, and values without a key, are left alone.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set<T: Cacheable>(
        mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Cached<T>>> {
        let (region, keys, call) = self.parts();
        Blocking::new().on(region.put_all(Way::Here, call, keys.iter().zip(values)))
    }

    /// See [`Entries::set`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn set_async<T: Cacheable>(
        mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Cached<T>>> {
        let (region, keys, call) = self.parts();
        region
            .put_all(Way::Pool, call, keys.iter().zip(values))
            .await
    }

    /// See [`Entries::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_async<T: Cacheable>(mut self) -> Result<Vec<Option<Cached<T>>>> {
        let (region, keys, call) = self.parts();
        region.look_all(Way::Pool, &Keys::of(keys), call).await
    }
}
