//! Creations that nobody waits for.

use std::error::Error as StdError;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use dogpile_lock::Blocking;

use super::call::Call;
use super::creating::{Creating, Goal, KeyTurn};
use super::entry::{Entry, ShouldCache};
use super::form::{Form, Json};
use super::goal::Once;
use super::mangle::{BackendKey, shown};
use super::way::Way;
use super::{Cacheable, Cached, Region, creator_failed};
use crate::Result;
use crate::jitter::shortened;
use crate::slot::{Count, Creation};

/// An entry with a creator that may be run on another thread. From [`Entry::background`].
#[must_use = "an entry does nothing until one of its calls is made"]
pub struct Background<'a, C, P> {
    entry: Entry<'a, P>,
    creator: C,
}

impl<'a, C, P> Background<'a, C, P> {
    pub(super) fn new(entry: Entry<'a, P>, creator: C) -> Self {
        Self { entry, creator }
    }

    /// The fresh value of the key; or the stale one, if it may still be served, while the creator is run in the
    /// background; or the one that the creator makes, here or in another call, which this one waits for.
    ///
    /// With the region's `early_refresh` the creator is run in the background while the value is still fresh. It is run
    /// in the background only with `background_refresh`, with `early_refresh`, or with a
    /// [creation runner](Region::set_creation_runner); else here, by the caller that has the lock.
    ///
    /// # Errors
    ///
    /// As [`Region::get_or_create`]; those of a creator in the background are logged.
    pub fn get_or_create<T>(self) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> T + Send + 'static,
        P: ShouldCache<T> + Send + 'static,
    {
        let creator = self.creator;
        fetch::<T, Json, _, P>(self.entry, move || ready(Ok(creator())))
    }

    /// As [`Background::get_or_create`], with a creator that can fail.
    ///
    /// # Errors
    ///
    /// As [`Region::try_get_or_create`]; those of a creator in the background are logged.
    pub fn try_get_or_create<T, E>(self) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> Result<T, E> + Send + 'static,
        P: ShouldCache<T> + Send + 'static,
    {
        let creator = self.creator;
        fetch::<T, Json, _, P>(self.entry, move || ready(creator().map_err(creator_failed)))
    }
}

fn fetch<T, F, C, P>(entry: Entry<'_, P>, creator: C) -> Result<Cached<T>>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>> + Send + 'static,
    P: ShouldCache<T> + Send + 'static,
{
    let (region, key, call, should_cache) = entry.into_parts();
    let mut goal = Deferred::<'_, T, F, C, P> {
        region,
        key: &key,
        call: call.clone(),
        once: Some(Once::new(creator, should_cache)),
        newer_than: 0,
        types: PhantomData,
    };
    match region.begin::<T, F>(&key, &call) {
        Ok(object) => {
            let created = object.as_value().metadata().created;
            goal.refresh_early(created)?;
            Ok(Cached::new(object, dogpile_lock::Source::Fresh))
        }
        Err(passage) => region.create::<T, F>(*passage, &key, &call, goal),
    }
}

/// A creation that may be put off to another thread.
struct Deferred<'a, T, F, C, P> {
    region: &'a Region,
    key: &'a str,
    call: Call,
    /// None once it was put off.
    once: Option<Once<C, P>>,
    newer_than: u64,
    types: PhantomData<fn() -> (T, F)>,
}

impl<T, F, C, P> Goal<T> for Deferred<'_, T, F, C, P>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>> + Send + 'static,
    P: ShouldCache<T> + Send + 'static,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        let once = self.once.as_mut();
        once.expect("what was put off is not created here").create()
    }

    fn should_cache(&self, value: &T) -> bool {
        self.once
            .as_ref()
            .is_some_and(|once| once.should_cache(value))
    }

    fn take_away(&mut self, turn: KeyTurn) -> Option<KeyTurn> {
        let runner = self.region.slot().runner.read().clone();
        if runner.is_none() {
            let current = self.region.registry().current(self.region.slot()).ok();
            if !current.is_some_and(|region| region.config.background_refresh) {
                return Some(turn);
            }
        }
        self.put_off(turn);
        None
    }
}

impl<T, F, C, P> Deferred<'_, T, F, C, P>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>> + Send + 'static,
    P: ShouldCache<T> + Send + 'static,
{
    /// Creates in the background if the value, whose creation ended at `created`, is fresh for not much longer.
    fn refresh_early(&mut self, created: u64) -> Result<()> {
        let region = self.region.registry().current(self.region.slot())?;
        let Some(share) = region.config.early_refresh else {
            return Ok(());
        };
        let time = self
            .call
            .expiration_time
            .unwrap_or(region.expiry.expiration_time);
        let age = self.region.clock().coarse().saturating_sub(created);
        if time == u64::MAX || age <= shortened(time, 1.0 - share) {
            return Ok(());
        }
        let key = BackendKey::new(&region, self.key)?;
        if let Some(turn) = region.instance.creations.try_turn(key.hash(), key.text()) {
            self.newer_than = created;
            self.put_off(turn);
        }
        Ok(())
    }

    /// Hands the creation to the region's runner, or to the host's pool. If that has too much to do it is given up, and
    /// counted.
    fn put_off(&mut self, turn: KeyTurn) {
        let Some(once) = self.once.take() else {
            return;
        };
        let (region, key, call) = (self.region.clone(), self.key.to_owned(), self.call.clone());
        let newer_than = self.newer_than;
        let job = Box::new(move || run::<T, F, C, P>(&region, &key, &call, once, newer_than, turn));
        let slot = self.region.slot();
        let runner = slot.runner.read().clone();
        if let Some(runner) = runner {
            runner(Creation::new(&slot.name, self.key, job));
        } else if self.region.engine.refreshes.submit(job).is_err() {
            slot.stats.count(Count::RefusedRefresh);
            tracing::debug!(
                target: "dogpile.cache", region = self.region.name(), key = shown(self.key),
                "too many creations wait for a thread, the stale value stays"
            );
        }
    }
}

/// Creates with the turn of a caller that has gone.
fn run<T, F, C, P>(
    region: &Region,
    key: &str,
    call: &Call,
    once: Once<C, P>,
    newer_than: u64,
    turn: KeyTurn,
) where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>>,
    P: ShouldCache<T>,
{
    let mut goal = PutOff { once, newer_than };
    let run = || {
        let current = region.registry().current(region.slot())?;
        let backend_key = BackendKey::new(&current, key)?;
        let creations = current.instance.creations.clone();
        drop(current);
        let mut creating = Creating::<T, F, _>::new(
            region,
            &creations,
            key,
            &backend_key,
            call,
            &mut goal,
            Way::Here,
        );
        let created = Blocking::new().on(turn.run(&mut creating));
        created.map_err(|error| region.failed(error, None))
    };
    if let Err(error) = run() {
        tracing::warn!(
            target: "dogpile.cache", region = region.name(), key = shown(key), %error,
            "a creation in the background failed"
        );
    }
}

/// A [`Deferred`] on the thread that it was put off to.
struct PutOff<C, P> {
    once: Once<C, P>,
    newer_than: u64,
}

impl<T, F, C, P> Goal<T> for PutOff<C, P>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    P: ShouldCache<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        self.once.create()
    }

    fn should_cache(&self, value: &T) -> bool {
        self.once.should_cache(value)
    }

    fn newer_than(&self) -> u64 {
        self.newer_than
    }
}

impl Region {
    /// Hands background creations to `runner` instead of the host's pool: dogpile's `async_creation_runner`. It is
    /// called on the thread of the caller that has the lock, which then returns the stale value, and should pass the
    /// [`Creation`] on at once. It gets those of callers with a [background creator](Entry::background), whatever
    /// `background_refresh` says.
    pub fn set_creation_runner(&self, runner: impl Fn(Creation) + Send + Sync + 'static) {
        let replaced = self
            .slot()
            .runner
            .write()
            .replace(std::sync::Arc::new(runner));
        // It may run the program's own code: not under the lock.
        drop(replaced);
    }
}
