//! Calls with several keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::ready;
use std::sync::Arc;

use dogpile_lock::{Blocking, Source};
use dogpile_plugin_api::{Expiration, Key};

use super::call::{Call, GivenTags};
use super::form::Serde;
use super::keep::{Always, ByRegion, NoneExpires, OwnExpiration, ShouldCache};
use super::mangle::BackendKey;
use super::passage::Waiting;
use super::store::{object, stored_form};
use super::together::set_multi;
use super::wanted::Wanted;
use super::way::{Way, delay};
use super::{CacheKey, Cacheable, Cached, Region, creator_failed};
use crate::Result;
use crate::instance::Instance;
use crate::pool;
use crate::registry::Configured;
use crate::slot::Tags;

/// Several keys with the options of one call, from [`Region::entries`].
#[must_use = "entries do nothing until one of their calls is made"]
pub struct Entries<'a, K, P = Always, X = ByRegion> {
    pub(super) region: &'a Region,
    pub(super) keys: &'a [K],
    pub(super) call: Call<'static>,
    pub(super) rule: (P, X),
}

/// The keys of a call, each once, in the order of their own bytes: dogpile's, in which it takes its locks.
pub(super) struct Keys<'a, K> {
    pub(super) all: Vec<OwnKey<'a, K>>,
    /// For each key of the caller, where it is in `all`.
    places: Vec<usize>,
}

/// One key of the caller's, as it spells it.
pub(super) struct OwnKey<'a, K> {
    pub(super) key: &'a K,
    pub(super) text: Cow<'a, str>,
}

impl<'a, K: CacheKey> Keys<'a, K> {
    pub(super) fn of(keys: &'a [K]) -> Self {
        let own = keys.iter().map(|key| OwnKey {
            key,
            text: key.cache_key(),
        });
        let mut sorted: Vec<(usize, OwnKey<'a, K>)> = own.enumerate().collect();
        sorted.sort_by(|(_, one), (_, other)| one.text.cmp(&other.text));
        let mut all: Vec<OwnKey<'a, K>> = Vec::with_capacity(keys.len());
        let mut places = vec![0; keys.len()];
        for (place, key) in sorted {
            if all.last().is_none_or(|last| last.text != key.text) {
                all.push(key);
            }
            places[place] = all.len() - 1;
        }
        Self { all, places }
    }

    /// In the caller's order, with its repetitions.
    pub(super) fn in_order<T: Clone>(&self, values: &[T]) -> Vec<T> {
        let places = self.places.iter();
        places.map(|place| values[*place].clone()).collect()
    }

    /// As the backend sees them.
    pub(super) fn backend_keys(&self, region: &Configured) -> Result<Vec<BackendKey<'_>>> {
        let keys = self.all.iter();
        keys.map(|key| key.backend_key(region)).collect()
    }
}

impl<K> OwnKey<'_, K> {
    /// As the backend sees it.
    pub(super) fn backend_key(&self, region: &Configured) -> Result<BackendKey<'_>> {
        BackendKey::new(region, &self.text)
    }
}

impl Region {
    /// Several keys, with options.
    pub fn entries<'a, K: CacheKey>(&'a self, keys: &'a [K]) -> Entries<'a, K> {
        Entries {
            region: self,
            keys,
            call: Call::default(),
            rule: (Always, ByRegion),
        }
    }

    /// The fresh values of `keys`, in their order, `None` for each that there is not. Never waits for a creation.
    ///
    /// # Errors
    ///
    /// As [`Region::get`].
    pub fn get_multi<T: Cacheable, K: CacheKey>(
        &self,
        keys: &[K],
    ) -> Result<Vec<Option<Cached<T>>>> {
        self.entries(keys).get()
    }

    /// Stores several values, all as created now, with one call of the backend. What is being created under their keys
    /// is treated as [`Region::set`] does.
    ///
    /// # Errors
    ///
    /// As [`Region::set`].
    pub fn set_multi<T: Cacheable, K: CacheKey>(
        &self,
        entries: impl IntoIterator<Item = (K, T)>,
    ) -> Result<()> {
        let put = self.put_all(Way::Here, Call::PLAIN, entries);
        Blocking::new().on(put).map(drop)
    }

    /// Removes several keys; no error for those that were not there. See [`Region::delete`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn delete_multi<K: CacheKey>(&self, keys: &[K]) -> Result<()> {
        Blocking::new().on(self.delete_all(Way::Here, keys))
    }

    /// The fresh values of `keys`; those that are missing are created, with the promises of [`Region::get_or_create`]
    /// key by key, whoever else asks for some of them alone or with others.
    ///
    /// The creator gets the keys that nobody else is creating, each once and in the order of their bytes, and gives pairs
    /// of key and value, which may not borrow from what it got: collect them. What it leaves out is not stored, and `None`
    /// in the outcome; what it was not asked for is not used. The outcome is in the order of `keys`. The creator may be
    /// called again for keys that it was not asked for yet: those whose other creator gave up or made what this call cannot
    /// use, since it is outdated or of another type. What it has made it is never asked for again, stored or not.
    ///
    /// # Errors
    ///
    /// As there, for the whole call, which ends with the error of one key: who waits for the others does not get that. What
    /// was created is stored all the same.
    pub fn get_or_create_multi<T: Cacheable, K: CacheKey + Clone, I>(
        &self,
        keys: &[K],
        creator: impl FnMut(&[K]) -> I,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        I: IntoIterator<Item = (K, T)>,
    {
        self.entries(keys).get_or_create(creator)
    }

    /// As [`Region::get_or_create_multi`], with a creator that can fail.
    ///
    /// # Errors
    ///
    /// As there, and [`ErrorKind::Creator`](crate::ErrorKind::Creator).
    pub fn try_get_or_create_multi<T: Cacheable, K: CacheKey + Clone, E, I>(
        &self,
        keys: &[K],
        creator: impl FnMut(&[K]) -> Result<I, E>,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
        I: IntoIterator<Item = (K, T)>,
    {
        self.entries(keys).try_get_or_create(creator)
    }

    /// See [`Region::get_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_multi_async<T: Cacheable, K: CacheKey>(
        &self,
        keys: &[K],
    ) -> Result<Vec<Option<Cached<T>>>> {
        let keys = Keys::of(keys);
        self.look_all(Way::Pool, &keys, Call::PLAIN).await
    }

    /// See [`Region::set_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn set_multi_async<T: Cacheable, K: CacheKey>(
        &self,
        entries: impl IntoIterator<Item = (K, T)>,
    ) -> Result<()> {
        let put = self.put_all(Way::Pool, Call::PLAIN, entries);
        put.await.map(drop)
    }

    /// See [`Region::delete_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn delete_multi_async<K: CacheKey>(&self, keys: &[K]) -> Result<()> {
        self.delete_all(Way::Pool, keys).await
    }

    /// See [`Region::get_or_create_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create_multi_async<T, K, C, F, I>(
        &self,
        keys: &[K],
        creator: C,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: CacheKey + Clone,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = I>,
        I: IntoIterator<Item = (K, T)>,
    {
        self.entries(keys).get_or_create_async(creator).await
    }

    /// See [`Region::try_get_or_create_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_get_or_create_multi_async<T, K, E, C, F, I>(
        &self,
        keys: &[K],
        creator: C,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: CacheKey + Clone,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = Result<I, E>>,
        I: IntoIterator<Item = (K, T)>,
    {
        self.entries(keys).try_get_or_create_async(creator).await
    }

    async fn delete_all<K: CacheKey>(&self, way: Way, keys: &[K]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let region = self.current()?;
        let keys = Keys::of(keys);
        let keys = keys.backend_keys(&region)?;
        let keys: Vec<_> = keys.iter().collect();
        for key in &keys {
            self.refuse_record(key).map_err(|error| self.ended(error))?;
        }
        let deleted = self
            .call_with_keys(way, &region.instance, &keys, |instance, keys| {
                for key in keys {
                    instance.creations.delete(key.hash(), key);
                    instance.spare.forget(key);
                }
                instance.backend.delete_multi(keys)
            })
            .await;
        deleted.map_err(|error| self.call_failed(&region, "delete_multi", error))
    }

    pub(super) async fn put_all<T: Cacheable, K: CacheKey>(
        &self,
        way: Way,
        call: &Call<'_>,
        entries: impl IntoIterator<Item = (K, T)>,
    ) -> Result<Vec<Cached<T>>> {
        let put = async {
            let region = self.current()?;
            let started = self.slot().invalidations.start(self.clock());
            let (mut keys, mut made, mut forms) = (Vec::new(), Vec::new(), Vec::new());
            // All were created at one time.
            let times = self.ends_now(started);
            for (key, value) in entries {
                let text = key.cache_key();
                let key = BackendKey::new(&region, &text)?.to_owned();
                self.refuse_record(&key)?;
                let object = object(self, &region, &key, call, times, value);
                match stored_form::<T, Serde>(self, &region, &key, &object) {
                    Ok(form) => {
                        forms.push(form);
                        keys.push((key, object.as_value().clone()));
                    }
                    Err(error) => self.not_written(call, error)?,
                }
                made.push(self.cached(object, Source::Created));
            }
            if keys.is_empty() {
                return Ok(made);
            }
            let refs: Vec<_> = keys.iter().map(|(key, _)| key).collect();
            let set = move |instance: &Arc<Instance>, keys: &[Key<'_>]| {
                for key in keys {
                    instance.creations.delete(key.hash(), key);
                }
                set_multi(instance, keys, forms)
            };
            let outcome = self.call_with_keys(way, &region.instance, &refs, set).await;
            let values = keys.iter().map(|(key, value)| (key, value));
            self.after_set_multi(&region, call, values, outcome)?;
            Ok(made)
        };
        put.await.map_err(|error| self.ended(error))
    }
}

impl<'a, K: CacheKey, P> Entries<'a, K, P> {
    /// See [`Entry::expiration_from`](super::Entry::expiration_from): of each value that is created.
    pub fn expiration_from<T, Q: Fn(&T) -> Expiration>(
        self,
        expiration: Q,
    ) -> Entries<'a, K, P, Q> {
        self.with_rule(|(should_cache, ByRegion)| (should_cache, expiration))
    }
}

impl<'a, K: CacheKey, P, X> Entries<'a, K, P, X> {
    pub(super) fn parts(&mut self) -> (&'a Region, &'a [K], &mut Call<'static>) {
        (self.region, self.keys, &mut self.call)
    }

    /// See [`Entry::expiration_time`](super::Entry::expiration_time).
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.call.expire(time.into());
        self
    }

    /// See [`Entry::tags`](super::Entry::tags).
    pub fn tags<L: Into<Box<str>>>(self, tags: impl IntoIterator<Item = L>) -> Self {
        self.tagged(Tags::new(tags))
    }

    pub(crate) fn tagged(mut self, tags: Tags) -> Self {
        self.call.tags = GivenTags::Known(tags);
        self
    }

    /// Each created value is stored only if this says so. Callers get it all the same.
    pub fn should_cache<T, Q: Fn(&T) -> bool>(self, should_cache: Q) -> Entries<'a, K, Q, X> {
        self.with_rule(|(_, expiration)| (should_cache, expiration))
    }

    /// See [`Entry::none_expiration_time`](super::Entry::none_expiration_time): of each `None` that is created.
    pub fn none_expiration_time(
        self,
        time: impl Into<Expiration>,
    ) -> Entries<'a, K, P, NoneExpires<X>> {
        let expiration = time.into();
        self.with_rule(|(should_cache, others)| (should_cache, NoneExpires { expiration, others }))
    }

    fn with_rule<Q, Y>(self, rule: impl FnOnce((P, X)) -> (Q, Y)) -> Entries<'a, K, Q, Y> {
        Entries {
            region: self.region,
            keys: self.keys,
            call: self.call,
            rule: rule(self.rule),
        }
    }

    /// See [`Region::get_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get<T: Cacheable>(self) -> Result<Vec<Option<Cached<T>>>> {
        let keys = Keys::of(self.keys);
        Blocking::new().on(self.region.look_all(Way::Here, &keys, &self.call))
    }

    /// See [`Region::get_or_create_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_or_create<T: Cacheable, I>(
        self,
        mut creator: impl FnMut(&[K]) -> I,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        K: Clone,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        self.block(|keys: Vec<K>| ready(Ok(creator(&keys))))
    }

    /// See [`Region::try_get_or_create_multi`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get_or_create<T: Cacheable, E, I>(
        self,
        mut creator: impl FnMut(&[K]) -> Result<I, E>,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        K: Clone,
        E: Into<Box<dyn StdError + Send + Sync>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        self.block(|keys: Vec<K>| ready(creator(&keys).map_err(creator_failed)))
    }

    /// See [`Region::get_or_create_multi_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create_async<T, C, F, I>(
        self,
        mut creator: C,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: Clone,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = I>,
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
            async { Ok(created.await) }
        };
        let wanted = Wanted::any(self.region);
        Box::pin(self.fetch(create, waiting, wanted)).await
    }

    /// See [`Region::try_get_or_create_multi_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_get_or_create_async<T, E, C, F, I>(
        self,
        mut creator: C,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: Clone,
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
        let wanted = Wanted::any(self.region);
        Box::pin(self.fetch(create, waiting, wanted)).await
    }

    fn block<T, C, F, I>(self, creator: C) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: Clone,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = Result<I>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
    {
        let blocking = Blocking::asleep_in(pool::asleep);
        let waiting = Waiting {
            way: Way::Here,
            timer: |wait| blocking.deadline(wait),
        };
        let wanted = Wanted::any(self.region);
        blocking.on(self.fetch(creator, waiting, wanted))
    }
}

/// Values by key, of what a creator gave.
pub(super) fn by_key<K: CacheKey, T>(
    given: impl IntoIterator<Item = (K, T)>,
) -> HashMap<String, T> {
    let given = given.into_iter();
    given
        .map(|(key, value)| (key.cache_key().into_owned(), value))
        .collect()
}
