//! The values of several keys, created anew.

use std::error::Error as StdError;
use std::future::ready;

use dogpile_lock::Blocking;

use super::keep::{OwnExpiration, ShouldCache};
use super::passage::Waiting;
use super::wanted::Wanted;
use super::way::{Way, delay};
use super::{CacheKey, Cacheable, Cached, Entries, creator_failed};
use crate::Result;
use crate::pool;

impl<K: CacheKey + Clone, P, X> Entries<'_, K, P, X> {
    /// As [`Entry::try_refresh`](super::Entry::try_refresh), key by key. The creator is called for keys that nobody is
    /// creating, and again for those whose creation was under way and began before this call has.
    ///
    /// # Errors
    ///
    /// As there, for the whole call; what was created is stored all the same.
    pub(crate) fn try_refresh<T: Cacheable, E, I>(
        self,
        mut creator: impl FnMut(&[K]) -> Result<I, E>,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let blocking = Blocking::asleep_in(pool::asleep);
        let waiting = Waiting {
            way: Way::Here,
            timer: |wait| blocking.deadline(wait),
        };
        let create = |keys: Vec<K>| ready(creator(&keys).map_err(creator_failed));
        let wanted = Wanted::begun_from_now(self.region);
        blocking.on(self.fetch(create, waiting, wanted))
    }

    /// As [`Entries::try_refresh`], without blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) async fn try_refresh_async<T, E, C, F, I>(
        self,
        mut creator: C,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = Result<I, E>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let waiting = Waiting {
            way: Way::Pool,
            timer: delay,
        };
        let create = |keys| {
            let created = creator(keys);
            async { created.await.map_err(creator_failed) }
        };
        let wanted = Wanted::begun_from_now(self.region);
        Box::pin(self.fetch(create, waiting, wanted)).await
    }
}
