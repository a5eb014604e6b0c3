//! Reads of several keys at once.

use dogpile_lock::Source;

use super::call::Call;
use super::form::Serde;
use super::mangle::BackendKey;
use super::multi::Keys;
use super::read::Found;
use super::way::Way;
use super::{CacheKey, Cacheable, Cached, Region};
use crate::Result;
use crate::registry::Current;
use crate::slot::Count;

impl Region {
    /// A read of several keys, not counted.
    pub(super) async fn read_all<T: Cacheable>(
        &self,
        way: Way,
        region: &Current,
        keys: &[BackendKey<'_>],
        call: &Call<'_>,
    ) -> Result<Vec<Found<T>>> {
        let refs: Vec<_> = keys.iter().collect();
        let got = self
            .call_with_keys(way, &region.instance, &refs, |instance, keys| {
                instance.backend.get_multi(keys)
            })
            .await;
        self.judge_all::<T, Serde>(region, keys.iter(), call, got)
    }

    /// Counts what a read of several keys found.
    pub(super) fn count_all<T: Cacheable>(
        &self,
        keys: &[BackendKey<'_>],
        found: &Result<Vec<Found<T>>>,
    ) {
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.count_unread(error, keys.len()),
        };
        for (key, found) in keys.iter().zip(found) {
            match found {
                Found::Fresh(_) => self.slot().stats.count(Count::Hit),
                found => self.count_miss(key, found),
            }
        }
    }

    /// See [`Region::refuse_record`]: of those that would be created.
    pub(super) fn refuse_records<T: Cacheable>(
        &self,
        keys: &[BackendKey<'_>],
        found: &[Found<T>],
    ) -> Result<()> {
        let all = keys.iter().zip(found);
        let mut missing = all.filter(|(_, found)| !matches!(found, Found::Fresh(_)));
        missing.try_for_each(|(key, _)| self.refuse_record(key))
    }

    pub(super) async fn look_all<T: Cacheable, K: CacheKey>(
        &self,
        way: Way,
        keys: &Keys<'_, K>,
        call: &Call<'_>,
    ) -> Result<Vec<Option<Cached<T>>>> {
        let look = async {
            let region = self.current()?;
            let backend_keys = keys.backend_keys(&region)?;
            if backend_keys.is_empty() {
                return Ok(Vec::new());
            }
            let found = self.read_all::<T>(way, &region, &backend_keys, call);
            let found = found.await;
            self.count_all(&backend_keys, &found);
            let found = found?.into_iter().map(|found| match found {
                Found::Fresh(object) | Found::Held(object) => {
                    Some(self.cached(object, Source::Fresh))
                }
                _ => None,
            });
            Ok(keys.in_order(&found.collect::<Vec<_>>()))
        };
        look.await.map_err(|error| self.ended(error))
    }
}
