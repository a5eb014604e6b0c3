//! One caller's creation of one key, as the lock calls it.

use std::marker::PhantomData;
use std::sync::Arc;

use dogpile_lock::{Acquired, Held, Lent, Operation, Reading, Storing};
use dogpile_plugin_api::{Guarded, Key, Object, Unreferenced, Value, keep_unreferenced};
use tracing::Instrument;

use super::Region;
use super::beneath::Beneath;
use super::call::Call;
use super::form::Form;
use super::keep::Keep;
use super::key_mutex::KeyTurn;
use super::mangle::BackendKey;
use super::notes::is_hard_outdated;
use super::store::{object, stored_form};
use super::told::Told;
use super::way::Way;
use crate::instance::{Creations, Failure, Instance, KeyMutex};
use crate::registry::{Configured, Current};
use crate::slot::{Attempt, Count};
use crate::{Error, Result};

/// What a caller wants of a creation.
pub(super) trait Goal<T> {
    /// Creates. Called at most once.
    fn create(&mut self) -> impl Future<Output = Result<T>>;

    /// Whether the value is to be stored, and for how long.
    fn keep(&self, value: &T) -> Keep;

    /// May take the turn of a creation that nobody need wait for.
    fn take_away(&mut self, turn: KeyTurn) -> Option<KeyTurn> {
        Some(turn)
    }

    /// What began to be created at that time or before is not what the caller wants.
    fn since(&self) -> u64 {
        0
    }

    /// What is found when it is read again is good enough only if its creation ended after that time. `u64::MAX`: nothing
    /// is.
    fn newer_than(&self) -> u64 {
        0
    }
}

/// The creation's steps.
pub(super) struct Creating<'a, T, F, G> {
    region: &'a Region,
    creations: &'a Creations,
    /// As the caller spells it, and as the backend did when the passage began.
    own_key: &'a str,
    key: &'a BackendKey<'a>,
    call: &'a Call<'a>,
    goal: &'a mut G,
    way: Way,
    /// The mutex that another process holds.
    mutex: Option<Arc<KeyMutex>>,
    keep: Keep,
    beneath: Beneath,
    /// None until its creator begins.
    attempt: Option<Arc<Attempt>>,
    /// What was dropped while it had the key: its own code may ask for that.
    unreferenced: Unreferenced,
    types: PhantomData<fn() -> (T, F)>,
}

impl<'a, T: Send + Sync + 'static, F: Form<T>, G: Goal<T>> Creating<'a, T, F, G> {
    pub(super) fn new(
        region: &'a Region,
        creations: &'a Creations,
        own_key: &'a str,
        key: &'a BackendKey<'a>,
        call: &'a Call<'a>,
        goal: &'a mut G,
        way: Way,
    ) -> Self {
        Self {
            region,
            creations,
            own_key,
            key,
            call,
            goal,
            way,
            mutex: None,
            keep: Keep::AsTheRegion,
            beneath: Beneath::default(),
            attempt: None,
            unreferenced: Unreferenced::default(),
            types: PhantomData,
        }
    }

    /// What the first read found.
    pub(super) fn over(mut self, beneath: Beneath) -> Self {
        self.beneath = beneath;
        self
    }

    /// Whether it is the one that this caller made itself.
    pub(super) fn is_own(&self, attempt: &Arc<Attempt>) -> bool {
        let own = self.attempt.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, attempt))
    }

    fn failed(&self, error: Error) -> Failure {
        Failure::Error(error, self.attempt.clone())
    }

    /// The region, if it still has the instance and the key that this passage began with.
    fn unreplaced(&self) -> Result<Current, Failure> {
        self.region
            .unreplaced(self.creations, self.own_key, self.key)
    }
}

/// Whether the region has the instance of those creations and spells the key so.
pub(super) fn is_current(
    region: &Configured,
    creations: &Creations,
    own_key: &str,
    key: &BackendKey<'_>,
) -> bool {
    region.instance.creations.is_same(creations)
        && BackendKey::new(region, own_key).is_ok_and(|own| own.text() == key.text())
}

impl<T: Send + Sync + 'static, F: Form<T>, G: Goal<T>> Operation for Creating<'_, T, F, G> {
    type Value = Value;
    type Error = Failure;
    type Lease = Held<KeyMutex>;

    async fn acquire(&mut self) -> Result<Acquired<Held<KeyMutex>>, Failure> {
        let region = self.unreplaced()?;
        let asked = self
            .region
            .acquire(self.way, &region, self.key, self.call)
            .await;
        let (acquired, mutex) = asked?;
        self.mutex = mutex;
        Ok(acquired)
    }

    fn watch(&mut self, turn: KeyTurn) {
        if let Some(mutex) = self.mutex.take() {
            self.region.watch(mutex, turn);
        }
    }

    fn take_away(&mut self, turn: KeyTurn) -> Option<KeyTurn> {
        self.goal.take_away(turn)
    }

    async fn read_again(&mut self) -> Result<Reading<Value>, Failure> {
        let region = self.unreplaced()?;
        let newer_than = self.goal.newer_than();
        if newer_than == u64::MAX {
            return Ok(Reading::Missing);
        }
        let got =
            self.region
                .call_with_key(self.way, &region.instance, self.key, |instance, key| {
                    keep_unreferenced(|| instance.backend.get_fresh(key))
                });
        let (got, unreferenced) = got.await;
        self.unreferenced.append(unreferenced);
        let found = self
            .region
            .judge_read::<T, F>(&region, self.key, self.call, got);
        let found = found?;
        self.beneath = self.beneath.read_again(self.region, &found);
        Ok(match found.into_reading() {
            Reading::Fresh(value) if value.metadata().created <= newer_than => Reading::Missing,
            reading => reading,
        })
    }

    async fn create(&mut self) -> Result<Value, Failure> {
        let started = self.region.slot().invalidations.start(self.region.clock());
        self.attempt = Some(Arc::new(Attempt {
            started,
            tags: self.call.tags.get(),
        }));
        let told = Told::One(self.key);
        let span = told.span(self.region);
        let creating = self.region.slot().stats.creating(1);
        let created = async { self.goal.create().await }
            .instrument(span.clone())
            .await;
        let times = self.region.ends_now(started);
        let value = match created {
            Ok(value) => value,
            Err(error) => {
                creating.failed(times.seconds());
                told.failed(self.region, &span, times.seconds(), &error);
                return Err(self.failed(error));
            }
        };
        creating.created(1, times.seconds());
        self.keep = self.goal.keep(&value);
        let region = self.region.current().map_err(|error| self.failed(error))?;
        told.created(self.region, &span, times.seconds());
        self.region.tell_created(self.own_key, times.seconds());
        let call = self.call.storing(self.keep);
        let object = object(self.region, &region, self.key, &call, times, value);
        Ok(object.into_value())
    }

    async fn store(
        &mut self,
        value: &Value,
        storing: Storing<Value, Failure, Held<KeyMutex>>,
        lease: Option<&Held<KeyMutex>>,
    ) -> Result<(), Failure> {
        let region = self.region.current().map_err(|error| self.failed(error))?;
        // What was created for an instance that is gone is stored nowhere.
        if !is_current(&region, self.creations, self.own_key, self.key) {
            return Ok(());
        }
        if self.keep == Keep::No || !region.may_replace(self.beneath.foreign) {
            return Ok(());
        }
        let Some(stored) = self
            .region
            .to_store::<T, F>(&region, self.call, self.key, value)
            .map_err(|error| self.failed(error))?
        else {
            return Ok(());
        };
        let lease = lease.map(Held::lend);
        let undeleted = storing.clone();
        let call = move |instance: &Arc<Instance>, key: &Key<'_>| {
            keep_unreferenced(|| storing.run(|| set(instance, key, &stored, lease.as_ref())))
        };
        let called = self
            .region
            .call_with_key(self.way, &region.instance, self.key, call);
        let (outcome, unreferenced) = called.await;
        self.unreferenced.append(unreferenced);
        let kept = (value, self.beneath.unread, Some(&undeleted));
        let (ended, unreferenced) = keep_unreferenced(|| {
            self.region
                .after_store(&region, self.call, self.key, kept, outcome)
        });
        self.unreferenced.append(unreferenced);
        ended.map_err(|error| self.failed(error))
    }

    /// A stale value stands in for an error, not for a backend that is gone.
    fn is_excused(error: &Failure) -> bool {
        matches!(error, Failure::Error(..))
    }

    fn is_lost(lease: &Held<KeyMutex>) -> bool {
        lease.is_lost()
    }

    async fn release(&mut self, held: Held<KeyMutex>) {
        self.region.release(self.way, vec![held]).await;
    }
}

/// What became of a store.
pub(super) type Stored = dogpile_plugin_api::Result<Guarded>;

/// Stores under a lease, if one was needed.
pub(super) fn set(
    instance: &Instance,
    key: &Key<'_>,
    value: &Value,
    lease: Option<&Lent<KeyMutex>>,
) -> Stored {
    match lease {
        None => instance.backend.set(key, value).map(|()| Guarded::Stored),
        Some(lease) => lease
            .with(|lease| instance.backend.set_guarded(key, value, lease))
            .unwrap_or(Ok(Guarded::LeaseLost)),
    }
}

/// A value that was to be stored; whether what lay there before could not be read; and the creation, if it was one.
pub(super) type Kept<'a> = (
    &'a Value,
    bool,
    Option<&'a Storing<Value, Failure, Held<KeyMutex>>>,
);

impl Region {
    /// The region, if it still has the instance of those creations and spells the key so.
    pub(super) fn unreplaced(
        &self,
        creations: &Creations,
        own_key: &str,
        key: &BackendKey<'_>,
    ) -> Result<Current, Failure> {
        let region = self.current()?;
        if is_current(&region, creations, own_key, key) {
            Ok(region)
        } else {
            Err(Failure::Replaced)
        }
    }

    /// The value as it is to be stored; `None` if it is outdated already, or cannot be written and the call bypasses
    /// that.
    pub(super) fn to_store<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        call: &Call<'_>,
        key: &BackendKey<'_>,
        value: &Value,
    ) -> Result<Option<Value>> {
        if is_hard_outdated(value, &self.slot().invalidations.in_force()) {
            return Ok(None);
        }
        let object = Object::<T>::from_value(value.clone());
        let object = object.expect("it was made as one in `create`");
        match stored_form::<T, F>(self, region, key, &object) {
            Ok(form) => Ok(Some(form)),
            Err(error) => self.not_written(call, error).map(|()| None),
        }
    }

    /// What follows from a store; `None`: the key was deleted or set meanwhile in this process, and nothing was stored.
    /// A value that could not be read before is held in the process as one that could not be stored: the next call may
    /// not read it either.
    pub(super) fn after_store(
        &self,
        region: &Configured,
        call: &Call<'_>,
        key: &BackendKey<'_>,
        (value, unread, undeleted): Kept<'_>,
        outcome: Option<Stored>,
    ) -> Result<()> {
        let spare = &region.instance.spare;
        let hold = || {
            let time = region.config.bypass_hold;
            // Whoever deleted the key since the store has forgotten what was held.
            let hold = || spare.hold(&key.key(), value, time, self.clock());
            match undeleted {
                None => hold(),
                Some(storing) => drop(storing.run(hold)),
            }
        };
        match outcome {
            Some(Ok(Guarded::Stored)) if unread => {
                hold();
                Ok(())
            }
            Some(Ok(Guarded::Stored)) => {
                spare.forget(&key.key());
                Ok(())
            }
            None | Some(Ok(Guarded::Deleted)) => {
                tracing::debug!(
                    target: "dogpile.cache", region = self.name(), key = key.shown(),
                    "deleted or set while it was created, not stored"
                );
                Ok(())
            }
            Some(Ok(Guarded::LeaseLost)) => {
                tracing::warn!(
                    target: "dogpile.cache", region = self.name(), key = key.shown(),
                    "the lease passed before the value was there, not stored: raise `lock_timeout` if this happens \
                     without a process that was stopped"
                );
                Ok(())
            }
            Some(Err(error)) => {
                self.slot().stats.count(Count::StoreError);
                hold();
                self.backend_failed(region, call, "set", error)
            }
        }
    }

    /// A value that has no form to be stored in: logged, and an error unless the call bypasses it.
    #[cold]
    pub(super) fn not_written(&self, call: &Call<'_>, error: Error) -> Result<()> {
        if !call.bypass {
            return Err(error);
        }
        if self.slot().may_log(self.clock().coarse()) {
            tracing::warn!(target: "dogpile.cache", region = self.name(), "{error}; it is not stored");
        }
        Ok(())
    }
}
