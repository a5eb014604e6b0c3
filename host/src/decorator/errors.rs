//! What becomes of the error of a function that returns a `Result`.

use std::error::Error as StdError;
use std::fmt;

use super::place::Place;
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Expiration};

/// What an error must be, since all who wait for a call that fails get a clone of it.
#[diagnostic::on_unimplemented(
    message = "the error type `{Self}` cannot be shared by those who wait for one call",
    label = "not `Clone + Send + Sync + 'static`",
    note = "all who wait for a call that fails get a clone of its error: derive `Clone`, or wrap the error in an `Arc`"
)]
pub trait SharedError: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Clone + Send + Sync + 'static> SharedError for E {}

/// An error of the function on its way through the cache, which knows only the standard library's trait.
pub(super) struct Returned<E>(pub(super) E);

impl<E> fmt::Debug for Returned<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Returned")
    }
}

impl<E> fmt::Display for Returned<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function returned an error")
    }
}

impl<E> StdError for Returned<E> {}

/// What a call has come to, the function's own error or what the cache gave. `None`: the cache has failed, which is
/// logged, and the function has to run without it.
pub(super) fn settled<T, E: SharedError>(site: &Site, outcome: Result<T>) -> Option<Result<T, E>> {
    let error = match outcome {
        Ok(given) => return Some(Ok(given)),
        Err(error) => error,
    };
    let returned = error.creator::<Returned<E>>();
    if returned.is_none() {
        site.warn(&error);
    }
    returned.map(|returned| Err(returned.0.clone()))
}

/// Whether errors are kept, and for how long. The cache may fail: then nothing is kept.
pub trait Errors<E>: Sync {
    /// The error kept for the place, if it still counts.
    fn find(&self, place: &Place<'_>) -> Option<E>;

    /// Keeps an error for the place.
    fn keep(&self, place: &Place<'_>, error: &E);

    /// Forgets what is kept for the place.
    fn forget(&self, place: &Place<'_>);

    /// As `find`, without blocking the thread.
    fn find_async(&self, place: &Place<'_>) -> impl Future<Output = Option<E>> + Send;

    /// As `keep`, without blocking the thread.
    fn keep_async(&self, place: &Place<'_>, error: &E) -> impl Future<Output = ()> + Send;

    /// As `forget`, without blocking the thread.
    fn forget_async(&self, place: &Place<'_>) -> impl Future<Output = ()> + Send;
}

/// They are not.
pub struct DropErrors;

impl<E: Sync> Errors<E> for DropErrors {
    fn find(&self, _: &Place<'_>) -> Option<E> {
        None
    }

    fn keep(&self, _: &Place<'_>, _: &E) {}

    fn forget(&self, _: &Place<'_>) {}

    async fn find_async(&self, _: &Place<'_>) -> Option<E> {
        None
    }

    async fn keep_async(&self, _: &Place<'_>, _: &E) {}

    async fn forget_async(&self, _: &Place<'_>) {}
}

/// Each for so long, under a key of its own.
pub struct CacheErrors(pub Expiration);

impl<E: Cacheable + Clone> Errors<E> for CacheErrors {
    fn find(&self, place: &Place<'_>) -> Option<E> {
        let key = place.key_of_error();
        let found = place.region.entry(&key).expiration_time(self.0).get::<E>();
        let found = found.unwrap_or_else(|error| unkept(place, &error, None));
        found.map(|error| E::clone(&error))
    }

    fn keep(&self, place: &Place<'_>, error: &E) {
        let key = place.key_of_error();
        let entry = place.region.entry(&key).expiration_time(self.0);
        let kept = entry.set(error.clone());
        kept.map_or_else(|error| unkept(place, &error, ()), drop);
    }

    fn forget(&self, place: &Place<'_>) {
        let forgotten = place.region.delete(place.key_of_error());
        forgotten.unwrap_or_else(|error| unkept(place, &error, ()));
    }

    async fn find_async(&self, place: &Place<'_>) -> Option<E> {
        let key = place.key_of_error();
        let entry = place.region.entry(&key).expiration_time(self.0);
        let found = entry.get_async::<E>().await;
        let found = found.unwrap_or_else(|error| unkept(place, &error, None));
        found.map(|error| E::clone(&error))
    }

    async fn keep_async(&self, place: &Place<'_>, error: &E) {
        let key = place.key_of_error();
        let entry = place.region.entry(&key).expiration_time(self.0);
        let kept = entry.set_async(error.clone()).await;
        kept.map_or_else(|error| unkept(place, &error, ()), drop);
    }

    async fn forget_async(&self, place: &Place<'_>) {
        let forgotten = place.region.delete_async(place.key_of_error()).await;
        forgotten.unwrap_or_else(|error| unkept(place, &error, ()));
    }
}

fn unkept<T>(place: &Place<'_>, error: &crate::Error, instead: T) -> T {
    tracing::debug!(target: "dogpile.cache", region = place.region.name(), "{error}; a kept error is passed over");
    instead
}

/// Forgets an error that may be kept for the place.
pub(super) fn forget(place: &Place<'_>) -> Result<()> {
    place.region.delete(place.key_of_error())
}

/// As `forget`, without blocking the thread.
pub(super) async fn forget_async(place: &Place<'_>) -> Result<()> {
    place.region.delete_async(place.key_of_error()).await
}
