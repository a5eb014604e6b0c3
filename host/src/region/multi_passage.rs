//! The way of a call with several keys, in rounds: each takes up what those before it left open.

use std::time::{Duration, Instant};

use dogpile_lock::{LockError, MultiRequest, Outcome, Reading, Retry, Source};
use dogpile_plugin_api::{Object, Value};

use super::beneath::Beneath;
use super::form::Serde;
use super::keep::{OwnExpiration, ShouldCache};
use super::mangle::BackendKey;
use super::multi::{Keys, OwnKey};
use super::multi_creating::CreatingMulti;
use super::notes::is_hard_outdated;
use super::passage::{Waiting, patience};
use super::read::Found;
use super::{CacheKey, Cacheable, Cached, Entries, Region};
use crate::Result;
use crate::instance::Failure;

/// What a key has come to.
pub(super) enum Came<V> {
    /// Nothing yet.
    ToNothing,
    /// Its creator left it out.
    LeftOut,
    To(V),
}

impl<V> Came<V> {
    pub(super) fn map<W>(self, map: impl FnOnce(V) -> W) -> Came<W> {
        match self {
            Self::ToNothing => Came::ToNothing,
            Self::LeftOut => Came::LeftOut,
            Self::To(value) => Came::To(map(value)),
        }
    }
}

/// Of a creator, or of the lock: `None` was left out.
impl<V> From<Option<V>> for Came<V> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::LeftOut, Self::To)
    }
}

/// What the keys of a call have come to.
struct Progress<T>(Vec<Came<Cached<T>>>);

impl<T: Send + Sync + 'static> Progress<T> {
    fn new(keys: usize) -> Self {
        Self((0..keys).map(|_| Came::ToNothing).collect())
    }

    /// The numbers of the keys that have come to nothing yet.
    fn open(&self) -> Vec<usize> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, came)| matches!(came, Came::ToNothing))
            .map(|(number, _)| number)
            .collect()
    }

    /// Takes the value of a key in; false if it is of another type.
    fn take(&mut self, region: &Region, number: usize, outcome: Outcome<Value>) -> bool {
        let Outcome { value, source } = outcome;
        let Ok(object) = Object::from_value(value) else {
            return false;
        };
        self.0[number] = Came::To(region.passed(object, source));
        true
    }

    fn into_values(self) -> Vec<Option<Cached<T>>> {
        let all = self.0.into_iter();
        all.map(|came| match came {
            Came::To(value) => Some(value),
            Came::ToNothing | Came::LeftOut => None,
        })
        .collect()
    }
}

impl<K: CacheKey, P, X> Entries<'_, K, P, X> {
    /// The whole passage. It begins again, with what it has not got yet, if the region was given another instance
    /// meanwhile, or if what was waited for is outdated or of another type. Each key is counted in its first round.
    pub(super) async fn fetch<T, C, F, I, Timer, S>(
        self,
        mut creator: C,
        waiting: Waiting<Timer>,
    ) -> Result<Vec<Option<Cached<T>>>>
    where
        T: Cacheable,
        K: Clone,
        C: FnMut(Vec<K>) -> F,
        F: Future<Output = Result<I>>,
        I: IntoIterator<Item = (K, T)>,
        P: ShouldCache<T>,
        X: OwnExpiration<T>,
        S: Future<Output = ()>,
        Timer: Fn(Duration) -> S,
    {
        let region = self.region;
        let keys = Keys::of(self.keys);
        let mut progress = Progress::<T>::new(keys.all.len());
        let (began, mut first_round, mut mismatched) = (Instant::now(), true, false);
        let in_force = region.slot().invalidations.in_force();
        let ended = |error| region.ended(error);
        loop {
            let open = progress.open();
            if open.is_empty() {
                return Ok(keys.in_order(&progress.into_values()));
            }
            let own_keys: Vec<&OwnKey<'_, K>> =
                open.iter().map(|number| &keys.all[*number]).collect();
            let current = region.current().map_err(ended)?;
            let backend_keys = own_keys.iter().map(|key| key.backend_key(&current));
            let backend_keys: Vec<_> = backend_keys.collect::<Result<_>>().map_err(ended)?;
            let found = region.read_all::<T>(waiting.way, &current, &backend_keys, &self.call);
            let found = found.await.map_err(ended)?;
            if first_round {
                region.count_all(&backend_keys, &found);
            }
            first_round = false;
            region
                .refuse_records(&backend_keys, &found)
                .map_err(ended)?;
            let beneath = found.iter().map(|found| Beneath::found(region, found));
            let beneath = beneath.collect();
            let first: Vec<_> = found.into_iter().map(Found::into_reading).collect();
            let wait = patience(&current);
            let request = MultiRequest {
                keys: asked(&backend_keys, first),
                wait: wait.map(|wait| wait.saturating_sub(began.elapsed())),
                retry: current.retry_after().map(|after| Retry {
                    after,
                    clock: region.clock(),
                }),
            };
            let creations = current.instance.creations.clone();
            drop(current);
            let mut creating = CreatingMulti::<T, Serde, _, _, _>::new(
                region,
                &creations,
                (&own_keys, &backend_keys),
                &self.call,
                &mut creator,
                &self.rule,
                waiting.way,
            )
            .over(beneath);
            let outcome = creations
                .get_or_create_multi_async(request, &mut creating, &waiting.timer)
                .await;
            let is_old_error = matches!(
                &outcome,
                Err(LockError::Creation(Failure::Error(_, Some(attempt))))
                    if attempt.is_hard_outdated(&in_force) && !creating.is_own(attempt)
            );
            let made = creating.into_made();
            let came: Vec<Came<_>> = match outcome {
                Ok(outcomes) => outcomes.into_iter().map(Came::from).collect(),
                // What it has made by then it keeps.
                Err(LockError::Creation(Failure::Replaced)) => made,
                Err(_) if is_old_error => made,
                Err(error) => return Err(region.failed(error, wait)),
            };
            let is_outdated = |outcome: &Outcome<Value>| {
                outcome.source == Source::Waited && is_hard_outdated(&outcome.value, &in_force)
            };
            let mut mismatch = None;
            for (number, came) in open.into_iter().zip(came) {
                match came {
                    Came::ToNothing => {}
                    Came::LeftOut => progress.0[number] = Came::LeftOut,
                    Came::To(outcome) if is_outdated(&outcome) => {}
                    Came::To(outcome) => {
                        if !progress.take(region, number, outcome) {
                            mismatch = Some(number);
                        }
                    }
                }
            }
            match mismatch {
                Some(number) if mismatched => {
                    return Err(region.mismatch::<T>(&keys.all[number].text));
                }
                found => mismatched |= found.is_some(),
            }
        }
    }
}

pub(super) fn asked<'a>(
    keys: &'a [BackendKey<'_>],
    first: Vec<Reading<Value>>,
) -> Vec<(u64, &'a str, Reading<Value>)> {
    let keys = keys.iter().zip(first);
    keys.map(|(key, reading)| (key.hash(), key.text(), reading))
        .collect()
}
