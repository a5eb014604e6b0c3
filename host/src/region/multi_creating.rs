//! One caller's creation of several keys, as the lock calls it.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use dogpile_lock::{Acquired, Held, Lent, MultiOperation, Reading, Storing, ToStore};
use dogpile_plugin_api::{Guarded, Key, Unreferenced, Value, keep_unreferenced};
use tracing::Instrument;

use super::call::Call;
use super::creating::{Stored, is_current, set};
use super::form::Form;
use super::keep::{Keep, Rule};
use super::key_mutex::KeyTurn;
use super::mangle::BackendKey;
use super::multi::{OwnKey, by_key};
use super::passage::unread;
use super::read::Found;
use super::store::object;
use super::way::Way;
use super::{CacheKey, Region};
use crate::instance::{Creations, Failure, Instance, KeyMutex};
use crate::registry::{Configured, Current};
use crate::slot::{Attempt, Count};
use crate::{Error, Result};

/// The creation's steps.
pub(super) struct CreatingMulti<'a, T, F, K, C, R> {
    region: &'a Region,
    creations: &'a Creations,
    own_keys: &'a [OwnKey<'a, K>],
    keys: &'a [BackendKey<'a>],
    call: &'a Call,
    creator: &'a mut C,
    rule: &'a R,
    way: Way,
    /// The mutexes that other processes hold, by the number of their key.
    mutexes: HashMap<usize, Arc<KeyMutex>>,
    /// Whether what was created under a key is to be stored.
    keep: Vec<bool>,
    /// Whether what lies under a key is, for all that is known, pickled.
    foreign: Vec<bool>,
    /// Whether the last read of a key failed.
    unread: Vec<bool>,
    /// None until its creator begins.
    attempt: Option<Arc<Attempt>>,
    /// What was dropped while it had the keys: its own code may ask for those.
    unreferenced: Unreferenced,
    types: PhantomData<fn() -> (T, F)>,
}

impl<'a, T, F, K, C, R> CreatingMulti<'a, T, F, K, C, R> {
    pub(super) fn new(
        region: &'a Region,
        creations: &'a Creations,
        (own_keys, keys): (&'a [OwnKey<'a, K>], &'a [BackendKey<'a>]),
        call: &'a Call,
        creator: &'a mut C,
        rule: &'a R,
        way: Way,
    ) -> Self {
        Self {
            region,
            creations,
            own_keys,
            keys,
            call,
            creator,
            rule,
            way,
            mutexes: HashMap::new(),
            keep: vec![true; keys.len()],
            foreign: vec![false; keys.len()],
            unread: vec![false; keys.len()],
            attempt: None,
            unreferenced: Unreferenced::default(),
            types: PhantomData,
        }
    }

    /// What the first read found under each key is pickled, or not.
    pub(super) fn over_foreign(mut self, foreign: Vec<bool>) -> Self {
        self.foreign = foreign;
        self
    }

    /// See [`Creating::is_own`](super::creating::Creating::is_own).
    pub(super) fn is_own(&self, attempt: &Arc<Attempt>) -> bool {
        let own = self.attempt.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, attempt))
    }

    fn failed(&self, error: Error) -> Failure {
        Failure::Error(error, self.attempt.clone())
    }

    /// All keys are spelled by one configuration: one of them tells.
    fn is_current(&self, region: &Configured, number: usize) -> bool {
        let (own, key) = (&self.own_keys[number].text, &self.keys[number]);
        is_current(region, self.creations, own, key)
    }

    fn unreplaced(&self, number: usize) -> Result<Current, Failure> {
        let (own, key) = (&self.own_keys[number].text, &self.keys[number]);
        self.region.unreplaced(self.creations, own, key)
    }

    fn keys_of(&self, numbers: impl Iterator<Item = usize>) -> Vec<&'a BackendKey<'a>> {
        numbers.map(|number| &self.keys[number]).collect()
    }
}

impl<T, F, K, C, R, Made, I> MultiOperation for CreatingMulti<'_, T, F, K, C, R>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    K: CacheKey + Clone,
    C: FnMut(Vec<K>) -> Made,
    Made: Future<Output = Result<I>>,
    I: IntoIterator<Item = (K, T)>,
    R: Rule<T>,
{
    type Value = Value;
    type Error = Failure;
    type Lease = Held<KeyMutex>;

    async fn acquire(&mut self, number: usize) -> Result<Acquired<Held<KeyMutex>>, Failure> {
        let region = self.unreplaced(number)?;
        let asked = self
            .region
            .acquire(self.way, &region, &self.keys[number], self.call)
            .await;
        let (acquired, mutex) = asked?;
        self.mutexes.extend(mutex.map(|mutex| (number, mutex)));
        Ok(acquired)
    }

    fn watch(&mut self, number: usize, turn: KeyTurn) {
        if let Some(mutex) = self.mutexes.remove(&number) {
            self.region.watch(mutex, turn);
        }
    }

    async fn read_again(&mut self, numbers: &[usize]) -> Result<Vec<Reading<Value>>, Failure> {
        let region = self.unreplaced(numbers[0])?;
        let keys = self.keys_of(numbers.iter().copied());
        // Backends with replicas have no way to ask the primary for several keys at once.
        let got =
            self.region
                .call_with_keys(self.way, &region.instance, &keys, |instance, keys| {
                    keep_unreferenced(|| {
                        let keys = keys.iter();
                        keys.map(|key| instance.backend.get_fresh(key))
                            .collect::<Vec<_>>()
                    })
                });
        let (got, unreferenced) = got.await;
        self.unreferenced.append(unreferenced);
        // Each by itself: one that cannot be read is no reason to create the others.
        let found = keys
            .into_iter()
            .zip(got)
            .map(|(key, got)| self.region.judge_read::<T, F>(&region, key, self.call, got));
        let found = found.collect::<Result<Vec<_>>>()?;
        for (number, found) in numbers.iter().zip(&found) {
            let before = self.foreign[*number];
            self.foreign[*number] = self.region.is_foreign(found, before);
            self.unread[*number] = found.is_unread();
        }
        Ok(found.into_iter().map(Found::into_reading).collect())
    }

    async fn create(&mut self, numbers: &[usize]) -> Result<Vec<Option<Value>>, Failure> {
        let started = self.region.slot().invalidations.start(self.region.clock());
        self.attempt = Some(Arc::new(Attempt {
            started,
            tags: self.call.tags.clone(),
        }));
        let wanted = numbers
            .iter()
            .map(|number| self.own_keys[*number].key.clone());
        let span = tracing::debug_span!(
            target: "dogpile.cache", "creation", region = self.region.name(), keys = numbers.len()
        );
        let wanted = wanted.collect();
        // The call itself may be all of the creator.
        let created = async { (self.creator)(wanted).await };
        let created = created.instrument(span.clone()).await;
        let mut given = by_key(created.map_err(|error| self.failed(error))?);
        let region = self.region.current().map_err(|error| self.failed(error))?;
        let times = self.region.ends_now(started);
        tracing::debug!(
            target: "dogpile.cache", parent: &span, region = self.region.name(), keys = numbers.len(),
            seconds = times.seconds(), "created"
        );
        let mut values = Vec::with_capacity(numbers.len());
        for number in numbers {
            let value = given.remove(&*self.own_keys[*number].text);
            values.push(value.map(|value| {
                let keep = self.rule.keep(&value);
                self.keep[*number] = keep != Keep::No;
                self.region.slot().stats.count(Count::Creation);
                let key = &self.keys[*number];
                let call = self.call.storing(keep);
                object(self.region, &region, key, &call, times, value).into_value()
            }));
        }
        if !given.is_empty() {
            tracing::debug!(
                target: "dogpile.cache", region = self.region.name(), values = given.len(),
                "the creator gave values for keys that it was not asked for, which are not used"
            );
        }
        Ok(values)
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, Value, Failure, Held<KeyMutex>>>,
    ) -> Result<(), Failure> {
        let region = self.region.current().map_err(|error| self.failed(error))?;
        let (mut numbers, mut made, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for to_store in values {
            let number = to_store.number;
            // What was created for an instance that is gone is stored nowhere.
            if !self.is_current(&region, number) {
                continue;
            }
            if !self.keep[number] || !region.may_replace(self.foreign[number]) {
                continue;
            }
            let form = self.region.to_store::<T, F>(
                &region,
                self.call,
                &self.keys[number],
                to_store.value,
            );
            if let Some(form) = form.map_err(|error| self.failed(error))? {
                numbers.push(number);
                made.push((to_store.value.clone(), self.unread[number]));
                stores.push((form, to_store.storing, to_store.lease.map(Held::lend)));
            }
        }
        if numbers.is_empty() {
            return Ok(());
        }
        let keys = self.keys_of(numbers.into_iter());
        let call = move |instance: &Arc<Instance>, keys: &[Key<'_>]| {
            keep_unreferenced(|| set_all(instance, keys, &stores))
        };
        let called = self
            .region
            .call_with_keys(self.way, &region.instance, &keys, call);
        let (outcomes, unreferenced) = called.await;
        self.unreferenced.append(unreferenced);
        for ((key, (value, unread)), outcome) in keys.into_iter().zip(&made).zip(outcomes) {
            self.region
                .after_store(&region, self.call, key, (value, *unread), outcome)
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// A stale value stands in for an error, not for a backend that is gone.
    fn is_excused(error: &Failure) -> bool {
        matches!(error, Failure::Error(..))
    }

    fn is_lost(lease: &Held<KeyMutex>) -> bool {
        lease.is_lost()
    }

    async fn release(&mut self, leases: Vec<(usize, Held<KeyMutex>)>) {
        let leases = leases.into_iter().map(|(_, held)| held).collect();
        self.region.release(self.way, leases).await;
    }
}

/// A value to be stored, and what it is stored under.
type Store = (
    Value,
    Storing<Value, Failure, Held<KeyMutex>>,
    Option<Lent<KeyMutex>>,
);

/// Stores created values: with one call, but for those under a lease, which are guarded one by one.
fn set_all(instance: &Instance, keys: &[Key<'_>], stores: &[Store]) -> Vec<Option<Stored>> {
    let held: Vec<_> = stores
        .iter()
        .map(|(_, storing, _)| storing.hold())
        .collect();
    let each = || keys.iter().zip(stores).zip(&held);
    let together: Vec<_> = each()
        .filter(|((_, (_, _, lease)), held)| held.is_some() && lease.is_none())
        .map(|((key, (value, ..)), _)| (*key, value.clone()))
        .collect();
    let outcome = if together.is_empty() {
        Ok(())
    } else {
        instance.backend.set_multi(&together)
    };
    each()
        .map(|((key, (value, _, lease)), held)| {
            held.as_ref()?;
            Some(match lease {
                None => outcome.clone().map(|()| Guarded::Stored),
                lease => set(instance, key, value, lease.as_ref()),
            })
        })
        .collect()
}

/// Stores several values.
pub(super) fn set_multi(
    instance: &Instance,
    keys: &[Key<'_>],
    values: Vec<Value>,
) -> dogpile_plugin_api::Result<()> {
    let entries: Vec<_> = keys.iter().copied().zip(values).collect();
    instance.backend.set_multi(&entries)
}

impl Region {
    /// As `judge_read`, of several keys. An error is one of all of them.
    pub(super) fn judge_all<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        keys: impl Iterator<Item = &'k BackendKey<'k>>,
        call: &Call,
        got: dogpile_plugin_api::Result<Vec<Option<Value>>>,
    ) -> Result<Vec<Found<T>>> {
        match got {
            Ok(values) => keys
                .zip(values)
                .map(|(key, value)| self.judge_read::<T, F>(region, key, call, Ok(value)))
                .collect(),
            Err(error) => {
                let reason = unread(&error);
                self.backend_failed(region, call, "get_multi", error)?;
                Ok(keys
                    .map(|key| {
                        self.spare::<T, F>(region, key, call)
                            .unwrap_or(Found::Miss(reason))
                    })
                    .collect())
            }
        }
    }

    pub(super) fn after_set_multi<'k>(
        &self,
        region: &Configured,
        call: &Call,
        values: impl Iterator<Item = (&'k BackendKey<'static>, &'k Value)>,
        outcome: dogpile_plugin_api::Result<()>,
    ) -> Result<()> {
        let spare = &region.instance.spare;
        let Err(error) = outcome else {
            values.for_each(|(key, _)| spare.forget(&key.key()));
            return Ok(());
        };
        let hold = region.config.bypass_hold;
        for (key, value) in values {
            self.slot().stats.count(Count::StoreError);
            spare.hold(&key.key(), value, hold, self.clock());
        }
        self.backend_failed(region, call, "set_multi", error)
    }
}
