//! One caller's creation of several keys, as the lock calls it.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use dogpile_lock::{Acquired, Held, ManyMade, MultiOperation, Outcome, Reading, Source, ToStore};
use dogpile_plugin_api::{Key, Unreferenced, Value, keep_unreferenced};
use tracing::Instrument;

use super::beneath::Beneath;
use super::call::Call;
use super::creating::is_current;
use super::form::Form;
use super::keep::{Keep, Rule};
use super::key_mutex::KeyTurn;
use super::mangle::BackendKey;
use super::multi::{OwnKey, by_key};
use super::multi_passage::Came;
use super::passage::unread;
use super::read::Found;
use super::store::object;
use super::together::{get_all_fresh, set_all};
use super::told::Told;
use super::wanted::Wanted;
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
    own_keys: &'a [&'a OwnKey<'a, K>],
    keys: &'a [BackendKey<'a>],
    call: &'a Call<'a>,
    creator: &'a mut C,
    rule: &'a R,
    wanted: &'a Wanted,
    way: Way,
    /// The mutexes that other processes hold, by the number of their key.
    mutexes: HashMap<usize, Arc<KeyMutex>>,
    /// Whether what was created under a key is to be stored.
    keep: Vec<bool>,
    beneath: Vec<Beneath>,
    /// What the creator was asked for, and what it made of that.
    made: Vec<Came<Value>>,
    /// One for each time that its creator has begun.
    attempts: Vec<Arc<Attempt>>,
    /// When its creator last ended: what it waits for after that is others.
    ended_at: Option<Instant>,
    /// What was dropped while it had the keys: its own code may ask for those.
    unreferenced: Unreferenced,
    types: PhantomData<fn() -> (T, F)>,
}

impl<'a, T, F, K, C, R> CreatingMulti<'a, T, F, K, C, R> {
    pub(super) fn new(
        region: &'a Region,
        creations: &'a Creations,
        (own_keys, keys): (&'a [&'a OwnKey<'a, K>], &'a [BackendKey<'a>]),
        call: &'a Call<'a>,
        creator: &'a mut C,
        (rule, wanted): (&'a R, &'a Wanted),
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
            wanted,
            way,
            mutexes: HashMap::new(),
            keep: vec![true; keys.len()],
            beneath: vec![Beneath::default(); keys.len()],
            made: keys.iter().map(|_| Came::ToNothing).collect(),
            attempts: Vec::new(),
            ended_at: None,
            unreferenced: Unreferenced::default(),
            types: PhantomData,
        }
    }

    /// What the first read found under each key.
    pub(super) fn over(mut self, beneath: Vec<Beneath>) -> Self {
        self.beneath = beneath;
        self
    }

    /// Whether a key that came to that was left out, by its own creator or by one of which it takes that.
    pub(super) fn is_left_out(&self, why: &Failure) -> bool {
        let Failure::LeftOut(attempt) = why else {
            return false;
        };
        let mut own = self.attempts.iter();
        own.any(|own| Arc::ptr_eq(own, attempt)) || !self.wanted.refuses_attempt(attempt)
    }

    /// When its creator last ended, if it was called.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ended_at
    }

    fn failed(&self, error: Error) -> Failure {
        Failure::Error(error, self.attempts.last().cloned())
    }

    /// What the creator made, of each key that it was asked for.
    pub(super) fn into_made(self) -> Vec<Came<Outcome<Value>>> {
        let source = Source::Created;
        let made = self.made.into_iter();
        made.map(|made| made.map(|value| Outcome { value, source }))
            .collect()
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

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<Value>, Failure>> {
        let region = match self.unreplaced(numbers[0]) {
            Ok(region) => region,
            Err(failure) => return numbers.iter().map(|_| Err(failure.clone())).collect(),
        };
        if !self.wanted.takes_what_is_there() {
            return numbers.iter().map(|_| Ok(Reading::Missing)).collect();
        }
        let keys = self.keys_of(numbers.iter().copied());
        let got =
            self.region
                .call_with_keys(self.way, &region.instance, &keys, |instance, keys| {
                    keep_unreferenced(|| get_all_fresh(instance, keys))
                });
        let (got, unreferenced) = got.await;
        self.unreferenced.append(unreferenced);
        let mut readings = Vec::with_capacity(numbers.len());
        for ((number, key), got) in numbers.iter().zip(keys).zip(got) {
            let found = self.region.judge_read::<T, F>(&region, key, self.call, got);
            readings.push(match found {
                Ok(found) => {
                    let beneath = &mut self.beneath[*number];
                    *beneath = beneath.read_again(self.region, &found);
                    Ok(found.into_reading())
                }
                Err(error) => Err(error.into()),
            });
        }
        readings
    }

    async fn create(&mut self, numbers: &[usize]) -> ManyMade<Value, Failure> {
        let started = self.region.slot().invalidations.start(self.region.clock());
        let attempt = Arc::new(Attempt {
            started,
            tags: self.call.tags.get(),
        });
        self.attempts.push(attempt.clone());
        let wanted = numbers
            .iter()
            .map(|number| self.own_keys[*number].key.clone());
        let told = Told::Several(self.keys, numbers);
        let span = told.span(self.region);
        let wanted = wanted.collect();
        let creating = self.region.slot().stats.creating(numbers.len());
        // The call itself may be all of the creator.
        let created = async { (self.creator)(wanted).await };
        let created = created.instrument(span.clone()).await.map(by_key);
        let times = self.region.ends_now(started);
        self.ended_at = Some(Instant::now());
        let mut given = match created {
            Ok(given) => given,
            Err(error) => {
                creating.failed(times.seconds());
                told.failed(self.region, &span, times.seconds(), &error);
                return Err(self.failed(error));
            }
        };
        let is_given = |number: &&usize| given.contains_key(&*self.own_keys[**number].text);
        creating.created(numbers.iter().filter(is_given).count(), times.seconds());
        let region = self.region.current().map_err(|error| self.failed(error))?;
        told.created(self.region, &span, times.seconds());
        let mut values = Vec::with_capacity(numbers.len());
        for number in numbers {
            let value = given.remove(&*self.own_keys[*number].text);
            let value = value.map(|value| {
                let keep = self.rule.keep(&value);
                self.keep[*number] = keep != Keep::No;
                let own_key = &self.own_keys[*number].text;
                self.region.tell_created(own_key, times.seconds());
                let key = &self.keys[*number];
                let call = self.call.storing(keep);
                object(self.region, &region, key, &call, times, value).into_value()
            });
            self.made[*number] = value.clone().into();
            values.push(value.ok_or_else(|| Failure::LeftOut(attempt.clone())));
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
    ) -> Vec<Result<(), Failure>> {
        let mut ended: Vec<_> = values.iter().map(|_| Ok(())).collect();
        let region = match self.region.current() {
            Ok(region) => region,
            Err(error) => {
                return ended
                    .iter()
                    .map(|_| Err(self.failed(error.clone())))
                    .collect();
            }
        };
        let (mut places, mut numbers, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for (at, to_store) in values.iter().enumerate() {
            let number = to_store.number;
            // What was created for an instance that is gone is stored nowhere.
            if !self.is_current(&region, number) {
                continue;
            }
            if !self.keep[number] || !region.may_replace(self.beneath[number].foreign) {
                continue;
            }
            let key = &self.keys[number];
            let form = self
                .region
                .to_store::<T, F>(&region, self.call, key, to_store.value);
            match form {
                Ok(Some(form)) => {
                    places.push(at);
                    numbers.push(number);
                    let lease = to_store.lease.map(Held::lend);
                    stores.push((form, to_store.storing.clone(), lease));
                }
                Ok(None) => {}
                Err(error) => ended[at] = Err(self.failed(error)),
            }
        }
        if numbers.is_empty() {
            return ended;
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
        for ((at, key), outcome) in places.into_iter().zip(keys).zip(outcomes) {
            let ToStore {
                number,
                value,
                storing,
                ..
            } = &values[at];
            let kept = (*value, self.beneath[*number].unread, Some(storing));
            let (came, unreferenced) = keep_unreferenced(|| {
                self.region
                    .after_store(&region, self.call, key, kept, outcome)
            });
            self.unreferenced.append(unreferenced);
            ended[at] = came.map_err(|error| self.failed(error));
        }
        ended
    }

    /// A stale value stands in for an error, not for a backend that is gone.
    fn is_excused(error: &Failure) -> bool {
        matches!(error, Failure::Error(..))
    }

    fn disregards(&self, error: &Failure) -> bool {
        match error.attempt() {
            Some(attempt) => self.wanted.refuses_attempt(attempt),
            None => matches!(error, Failure::Replaced),
        }
    }

    fn is_lost(lease: &Held<KeyMutex>) -> bool {
        lease.is_lost()
    }

    async fn release(&mut self, leases: Vec<(usize, Held<KeyMutex>)>) {
        let leases = leases.into_iter().map(|(_, held)| held).collect();
        self.region.release(self.way, leases).await;
    }
}

impl Region {
    /// As `judge_read`, of several keys. An error is one of all of them.
    pub(super) fn judge_all<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        keys: impl Iterator<Item = &'k BackendKey<'k>>,
        call: &Call<'_>,
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
        call: &Call<'_>,
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
