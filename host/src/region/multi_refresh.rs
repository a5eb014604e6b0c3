//! The values of several keys, created anew.

use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::future::ready;
use std::time::{Duration, Instant};

use dogpile_lock::{Blocking, LockError, MultiRequest, Outcome, Reading, Retry, Source};
use dogpile_plugin_api::{Object, Value};

use super::form::Serde;
use super::keep::{OwnExpiration, ShouldCache};
use super::multi::Keys;
use super::multi_creating::CreatingMulti;
use super::multi_passage::{Came, asked};
use super::notes::is_hard_outdated;
use super::passage::{Waiting, patience};
use super::way::{Way, delay};
use super::{CacheKey, Cacheable, Cached, Entries, creator_failed};
use crate::Result;
use crate::instance::Failure;

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
        let blocking = Blocking::new();
        let waiting = Waiting {
            way: Way::Here,
            timer: |wait| blocking.deadline(wait),
        };
        let create = |keys: Vec<K>| ready(creator(&keys).map_err(creator_failed));
        blocking.on(self.renew(create, waiting))
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
        Box::pin(self.renew(create, waiting)).await
    }

    /// The whole passage. It begins again with those keys of which nothing came that is new enough.
    async fn renew<T, C, F, I, Timer, S>(
        self,
        mut creator: C,
        waiting: Waiting<Timer>,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = Result<I>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
        S: Future<Output = ()>,
        Timer: Fn(Duration) -> S,
    {
        let (region, own_keys, call, rule) = self.into_parts();
        let ended = |error| region.ended(error);
        let in_force = region.slot().invalidations.in_force();
        let since = region.slot().invalidations.mark(region.clock());
        let is_old = |outcome: &Outcome<Value>| {
            outcome.source == Source::Waited
                && (outcome.value.metadata().started <= since
                    || is_hard_outdated(&outcome.value, &in_force))
        };
        let (began, mut mismatched) = (Instant::now(), false);
        let (mut open, mut renewed) = (own_keys.to_vec(), HashMap::new());
        while !open.is_empty() {
            let keys = Keys::of(&open);
            let open_keys: Vec<_> = keys.all.iter().collect();
            let current = region.current().map_err(ended)?;
            let backend_keys = keys.backend_keys(&current).map_err(ended)?;
            let mut all = backend_keys.iter();
            all.try_for_each(|key| region.refuse_record(key))
                .map_err(ended)?;
            let wait = patience(&current);
            let request = MultiRequest {
                keys: asked(
                    &backend_keys,
                    backend_keys.iter().map(|_| Reading::Missing).collect(),
                ),
                wait: wait.map(|wait| wait.saturating_sub(began.elapsed())),
                retry: current.retry_after().map(|after| Retry {
                    after,
                    clock: region.clock(),
                }),
            };
            let creations = current.instance.creations.clone();
            drop(current);
            let mut wanted = HashSet::new();
            let mut create = |keys: Vec<K>| {
                wanted.extend(keys.iter().map(|key| key.cache_key().into_owned()));
                creator(keys)
            };
            let mut creating = CreatingMulti::<T, Serde, _, _, _>::new(
                region,
                &creations,
                (&open_keys, &backend_keys),
                &call,
                &mut create,
                &rule,
                waiting.way,
            )
            .anew();
            let outcome = creations
                .get_or_create_multi_async(request, &mut creating, &waiting.timer)
                .await;
            let is_old_error = matches!(
                &outcome,
                Err(LockError::Creation(Failure::Error(_, Some(attempt))))
                    if !creating.is_own(attempt)
                        && (attempt.started <= since || attempt.is_hard_outdated(&in_force))
            );
            let made = creating.into_made();
            let came: Vec<Came<_>> = match outcome {
                Ok(outcomes) => outcomes.into_iter().map(Came::from).collect(),
                // What it has made by then it keeps.
                Err(LockError::Creation(Failure::Replaced)) => made,
                Err(_) if is_old_error => made,
                Err(error) => return Err(region.failed(error, wait)),
            };
            let (mut again, mut mismatch) = (Vec::new(), None);
            for (key, came) in keys.all.iter().zip(came) {
                let text = &*key.text;
                let value = match came {
                    Came::ToNothing => None,
                    Came::To(outcome) if is_old(&outcome) => None,
                    Came::To(Outcome { value, source }) => {
                        if let Ok(object) = Object::from_value(value) {
                            Some(Some(region.passed(object, source)))
                        } else {
                            mismatch = Some(text.to_owned());
                            None
                        }
                    }
                    // Left out by this call's creator, or by one that may have begun before.
                    Came::LeftOut => wanted.contains(text).then_some(None),
                };
                match value {
                    Some(value) => drop(renewed.insert(text.to_owned(), value)),
                    None => again.push(key.key.clone()),
                }
            }
            match mismatch {
                Some(key) if mismatched => return Err(region.mismatch::<T>(&key)),
                other => mismatched |= other.is_some(),
            }
            open = again;
        }
        let texts = own_keys.iter().map(CacheKey::cache_key);
        Ok(texts.map(|text| renewed[&*text].clone()).collect())
    }
}
