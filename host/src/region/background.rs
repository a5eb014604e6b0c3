//! Creations that nobody waits for.

use std::error::Error as StdError;
use std::future::{Ready, ready};

use dogpile_lock::Source;

use super::deferred::{Deferred, Task, Thread};
use super::entry::Entry;
use super::form::{Form, Serde};
use super::goal::Once;
use super::keep::{OwnExpiration, ShouldCache};
use super::passage::Waiting;
use super::way::{Way, delay};
use super::{Cacheable, Cached, Region, creator_failed};
use crate::Result;
use crate::slot::Creation;

/// An entry with a creator that may be run on another thread. From [`Entry::background`].
#[must_use = "an entry does nothing until one of its calls is made"]
pub struct Background<'a, C, P, X> {
    entry: Entry<'a, P, X>,
    creator: C,
}

impl<'a, C, P, X> Background<'a, C, P, X> {
    pub(super) fn new(entry: Entry<'a, P, X>, creator: C) -> Self {
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
    /// As [`Region::get_or_create`]; those of a creator in the background are logged and counted, and so are its panics: both
    /// leave the key alone for the region's `retry_after`.
    pub fn get_or_create<T>(self) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> T + Send + 'static,
        P: ShouldCache<T> + Send + 'static,
        X: OwnExpiration<T> + Send + 'static,
    {
        let creator = self.creator;
        fetch::<T, Serde, _, P, X>(self.entry, move || ready(Ok(creator())))
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
        X: OwnExpiration<T> + Send + 'static,
    {
        let creator = self.creator;
        fetch::<T, Serde, _, P, X>(self.entry, move || ready(creator().map_err(creator_failed)))
    }
}

fn fetch<T, F, C, P, X>(entry: Entry<'_, P, X>, creator: C) -> Result<Cached<T>>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>> + Send + 'static,
    P: ShouldCache<T> + Send + 'static,
    X: OwnExpiration<T> + Send + 'static,
{
    let (region, key, call, rule) = entry.into_parts();
    let once = Once::new(creator, rule);
    let mut goal = Deferred::<'_, T, F, C, (P, X), Thread>::new(region, &key, &call, once);
    match region.begin::<T, F>(&key, &call) {
        Ok(object) => {
            goal.refresh_early(object.as_value())?;
            Ok(region.cached(object, Source::Fresh))
        }
        Err(passage) => region.create::<T, F>(*passage, &key, &call, goal),
    }
}

/// An entry with an asynchronous creator that may be run as a task of its own. From [`Entry::background_async`].
#[must_use = "an entry does nothing until one of its calls is made"]
pub struct BackgroundAsync<'a, C, P, X> {
    entry: Entry<'a, P, X>,
    creator: C,
}

impl<'a, C, P, X> BackgroundAsync<'a, C, P, X> {
    pub(super) fn new(entry: Entry<'a, P, X>, creator: C) -> Self {
        Self { entry, creator }
    }

    /// See [`Background::get_or_create`]. The creator is run in the background only with a
    /// [creation runner](Region::set_creation_runner), or on a host that has a [spawner](crate::HostBuilder::spawner), with
    /// `background_refresh` or `early_refresh`; else here.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create<T, F>(self) -> Result<Cached<T>>
    where
        T: Cacheable,
        C: FnOnce() -> F + Send + 'static,
        F: Future<Output = T> + Send + 'static,
        P: ShouldCache<T> + Send + Sync + 'static,
        X: OwnExpiration<T> + Send + Sync + 'static,
    {
        let creator = self.creator;
        fetch_async::<T, Serde, _, _, P, X>(self.entry, move || async { Ok(creator().await) }).await
    }

    /// See [`Background::try_get_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn try_get_or_create<T, E, F>(self) -> Result<Cached<T>>
    where
        T: Cacheable,
        E: Into<Box<dyn StdError + Send + Sync>>,
        C: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        P: ShouldCache<T> + Send + Sync + 'static,
        X: OwnExpiration<T> + Send + Sync + 'static,
    {
        let creator = self.creator;
        let create = move || async { creator().await.map_err(creator_failed) };
        fetch_async::<T, Serde, _, _, P, X>(self.entry, create).await
    }
}

async fn fetch_async<T, F, C, Made, P, X>(entry: Entry<'_, P, X>, creator: C) -> Result<Cached<T>>
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Made + Send + 'static,
    Made: Future<Output = Result<T>> + Send + 'static,
    P: ShouldCache<T> + Send + Sync + 'static,
    X: OwnExpiration<T> + Send + Sync + 'static,
{
    let (region, key, call, rule) = entry.into_parts();
    let once = Once::new(creator, rule);
    let mut goal = Deferred::<'_, T, F, C, (P, X), Task>::new(region, &key, &call, once);
    match region.begin_on::<T, F>(Way::Pool, &key, &call).await {
        Ok(object) => {
            goal.refresh_early(object.as_value())?;
            Ok(region.cached(object, Source::Fresh))
        }
        Err(passage) => {
            let waiting = Waiting {
                way: Way::Pool,
                timer: delay,
            };
            region
                .pass::<T, F, _, _, _>((*passage)?, &key, &call, &mut goal, waiting)
                .await
        }
    }
}

impl Region {
    pub(super) fn refreshes_in_background(&self) -> bool {
        let current = self.current();
        current.is_ok_and(|region| {
            region.config.background_refresh || region.config.early_refresh.is_some()
        })
    }

    /// Hands background creations to `runner` instead of the host's pool or spawner: dogpile's `async_creation_runner`. It
    /// is called on the thread of the caller that has the lock, which then returns the stale value, and should pass the
    /// [`Creation`] on at once. It gets those of callers with a background creator, [blocking](Entry::background) or
    /// [asynchronous](Entry::background_async), whatever `background_refresh` says; [`Creation::is_async`] tells which.
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
