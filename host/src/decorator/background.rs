//! Calls of functions whose runs may be put off: their callers are served what is stored meanwhile.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;

use super::errors::{DropErrors, Errors, Returned, SharedError, settled};
use super::place::Place;
use super::single::taken;
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Cached};

/// See [`call`](super::single::call).
pub fn call_background<T: Cacheable>(
    site: &Site,
    place: Result<Place<'static>>,
    keep: impl Fn(&T) -> bool + Send + 'static,
    original: impl FnOnce() -> T + Send + 'static,
) -> Cached<T> {
    let original = || Ok(original());
    let Ok(cached) = try_call_background::<T, Infallible>(site, place, keep, DropErrors, original);
    cached
}

/// See [`try_call`](super::single::try_call).
pub fn try_call_background<T: Cacheable, E: SharedError>(
    site: &Site,
    place: Result<Place<'static>>,
    keep: impl Fn(&T) -> bool + Send + 'static,
    errors: impl Errors<E> + Send + 'static,
    original: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<Cached<T>, E> {
    let original = Arc::new(Mutex::new(Some(original)));
    let outcome = place.and_then(|place| {
        let place = Arc::new(place);
        let (own, original) = (Arc::clone(&place), Arc::clone(&original));
        let create = move || match errors.find(&own) {
            Some(kept) => Err(Returned(kept)),
            None => take(&original)().map_err(|error| {
                errors.keep(&own, &error);
                Returned(error)
            }),
        };
        let entry = place.entry().bypass().should_cache(keep);
        entry.background(create).try_get_or_create()
    });
    settled(site, outcome).unwrap_or_else(|| take(&original)().map(Cached::uncached))
}

/// See [`call_background`].
pub async fn call_background_async<T, F>(
    site: &Site,
    place: Result<Place<'static>>,
    keep: impl Fn(&T) -> bool + Send + Sync + 'static,
    original: impl FnOnce() -> F + Send + 'static,
) -> Cached<T>
where
    T: Cacheable,
    F: Future<Output = T> + Send + 'static,
{
    let original = || async { Ok(original().await) };
    let called =
        try_call_background_async::<T, Infallible, _>(site, place, keep, DropErrors, original);
    let Ok(cached) = called.await;
    cached
}

/// See [`try_call_background`].
pub async fn try_call_background_async<T, E, F>(
    site: &Site,
    place: Result<Place<'static>>,
    keep: impl Fn(&T) -> bool + Send + Sync + 'static,
    errors: impl Errors<E> + Send + 'static,
    original: impl FnOnce() -> F + Send + 'static,
) -> Result<Cached<T>, E>
where
    T: Cacheable,
    E: SharedError,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let original = Arc::new(Mutex::new(Some(original)));
    let outcome = match place {
        Err(error) => Err(error),
        Ok(place) => {
            let place = Arc::new(place);
            let (own, original) = (Arc::clone(&place), Arc::clone(&original));
            let create = move || async move {
                if let Some(kept) = errors.find_async(&own).await {
                    return Err(Returned(kept));
                }
                let made = take(&original)().await;
                if let Err(error) = &made {
                    errors.keep_async(&own, error).await;
                }
                made.map_err(Returned)
            };
            let entry = place.entry().bypass().should_cache(keep);
            // In a box it is known to be `Send` here; who awaits it could not see that of what borrows the place.
            let call: Pin<Box<dyn Future<Output = Result<Cached<T>>> + Send + '_>> =
                Box::pin(entry.background_async(create).try_get_or_create());
            call.await
        }
    };
    match settled(site, outcome) {
        Some(settled) => settled,
        None => take(&original)().await.map(Cached::uncached),
    }
}

/// Taken out before it runs: not under the lock. What was put off has it for good, and its caller was served.
fn take<F>(original: &Mutex<Option<F>>) -> F {
    taken(&mut original.lock())
}
