//! The way of a call with several keys, in rounds: each takes up what those before it left open.

use std::mem;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dogpile_lock::{LockError, MultiRequest, Outcome, Reading, Retry};
use dogpile_plugin_api::{Object, Value};

use super::beneath::Beneath;
use super::form::Serde;
use super::keep::{OwnExpiration, ShouldCache};
use super::mangle::BackendKey;
use super::multi::{Keys, OwnKey};
use super::multi_creating::CreatingMulti;
use super::passage::{Waiting, patience};
use super::read::Found;
use super::wanted::Wanted;
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
struct Progress<T> {
    came: Vec<Came<Cached<T>>>,
    /// Of each key: somebody else has created it as another type.
    mismatched: Vec<bool>,
}

impl<T: Send + Sync + 'static> Progress<T> {
    fn new(keys: usize) -> Self {
        Self {
            came: (0..keys).map(|_| Came::ToNothing).collect(),
            mismatched: vec![false; keys],
        }
    }

    /// The numbers of the keys that have come to nothing yet.
    fn open(&self) -> Vec<usize> {
        let all = self.came.iter().enumerate();
        all.filter(|(_, came)| matches!(came, Came::ToNothing))
            .map(|(number, _)| number)
            .collect()
    }

    /// Takes in what a key has come to, after a wait since then if it waited; false if it is of another type for the
    /// second time.
    fn take(
        &mut self,
        region: &Region,
        number: usize,
        came: Came<Outcome<Value>>,
        since: Instant,
    ) -> bool {
        match came {
            Came::ToNothing => {}
            Came::LeftOut => self.came[number] = Came::LeftOut,
            Came::To(Outcome { value, source }) => match Object::from_value(value) {
                Ok(object) => self.came[number] = Came::To(region.passed(object, source, since)),
                Err(_) => return !mem::replace(&mut self.mismatched[number], true),
            },
        }
        true
    }

    fn into_values(self) -> Vec<Option<Cached<T>>> {
        let all = self.came.into_iter();
        all.map(|came| match came {
            Came::To(value) => Some(value),
            Came::ToNothing | Came::LeftOut => None,
        })
        .collect()
    }
}

impl<K: CacheKey + Clone, P, X> Entries<'_, K, P, X> {
    /// The whole passage. It begins again, with what it has not got yet, if the region was given another instance
    /// meanwhile, or if what was waited for is not wanted or of another type.
    pub(super) async fn fetch<T, C, F, I, Timer, S>(
        self,
        mut creator: C,
        waiting: Waiting<Timer>,
        wanted: Wanted,
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
        let region = self.region;
        let keys = Keys::of(self.keys);
        let mut progress = Progress::<T>::new(keys.all.len());
        let mut first_round = true;
        // Since when it waits for others: what it creates before that is no wait.
        let waits_since = OnceLock::new();
        let timer = |wait| {
            let (since, timer) = (&waits_since, &waiting.timer);
            async move {
                since.get_or_init(Instant::now);
                timer(wait).await;
            }
        };
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
            let (first, beneath) = if wanted.takes_what_is_there() {
                let found = region.read_all::<T>(waiting.way, &current, &backend_keys, &self.call);
                let found = found.await;
                // Each key is counted once.
                if first_round {
                    region.count_all(&backend_keys, &found);
                }
                let found = found.map_err(ended)?;
                region
                    .refuse_records(&backend_keys, &found)
                    .map_err(ended)?;
                let beneath = found.iter().map(|found| Beneath::found(region, found));
                let beneath: Vec<_> = beneath.collect();
                let first: Vec<_> = found.into_iter().map(Found::into_reading).collect();
                (first, beneath)
            } else {
                let mut all = backend_keys.iter();
                all.try_for_each(|key| region.refuse_record(key))
                    .map_err(ended)?;
                let nothing = backend_keys
                    .iter()
                    .map(|_| (Reading::Missing, Beneath::default()));
                nothing.unzip()
            };
            first_round = false;
            let wait = patience(&current);
            let used_up = waits_since.get().map_or(Duration::ZERO, Instant::elapsed);
            let request = MultiRequest {
                keys: asked(&backend_keys, first),
                wait: wait.map(|wait| wait.saturating_sub(used_up)),
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
                (&self.rule, &wanted),
                waiting.way,
            )
            .over(beneath);
            let began = Instant::now();
            let outcome = creations
                .get_or_create_multi_async(request, &mut creating, timer)
                .await;
            let since = creating.ended_at().unwrap_or(began);
            let came: Vec<Came<_>> = match outcome {
                Ok(outcomes) => outcomes
                    .into_iter()
                    .map(|outcome| match outcome {
                        Ok(outcome) if wanted.refuses(&outcome) => Came::ToNothing,
                        Ok(outcome) => Came::To(outcome),
                        Err(why) if creating.is_left_out(&why) => Came::LeftOut,
                        Err(_) => Came::ToNothing,
                    })
                    .collect(),
                // What it has made by then it keeps.
                Err(LockError::Creation(Failure::Replaced)) => creating.into_made(),
                Err(error) => return Err(region.failed(error, wait, since)),
            };
            for (number, came) in open.into_iter().zip(came) {
                if !progress.take(region, number, came, since) {
                    return Err(region.mismatch::<T>(&keys.all[number].text));
                }
            }
        }
    }
}

fn asked<'a>(
    keys: &'a [BackendKey<'_>],
    first: Vec<Reading<Value>>,
) -> Vec<(u64, &'a str, Reading<Value>)> {
    let keys = keys.iter().zip(first);
    keys.map(|(key, reading)| (key.hash(), key.text(), reading))
        .collect()
}
