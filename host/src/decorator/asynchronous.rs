//! Calls of asynchronous functions of one key.

use std::convert::Infallible;

use super::errors::{DropErrors, Errors, Returned, SharedError, forget_async, settled};
use super::place::Place;
use super::single::{Run, taken};
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Cached};

/// See [`call`](super::single::call).
pub async fn call_async<T: Cacheable, F: Future<Output = T>>(
    run: Run,
    site: &Site,
    place: Result<Place<'_>>,
    keep: impl Fn(&T) -> bool,
    original: impl FnOnce() -> F,
) -> Cached<T> {
    let original = || async { Ok(original().await) };
    let called = try_call_async::<T, Infallible, _>(run, site, place, keep, &DropErrors, original);
    let Ok(cached) = called.await;
    cached
}

/// See [`try_call`](super::single::try_call).
pub async fn try_call_async<T, E, F>(
    run: Run,
    site: &Site,
    place: Result<Place<'_>>,
    keep: impl Fn(&T) -> bool,
    errors: &impl Errors<E>,
    original: impl FnOnce() -> F,
) -> Result<Cached<T>, E>
where
    T: Cacheable,
    E: SharedError,
    F: Future<Output = Result<T, E>>,
{
    let mut original = Some(original);
    let outcome = match place {
        Err(error) => Err(error),
        Ok(place) => {
            let place = &place;
            let entry = place.entry().bypass().should_cache(keep);
            let original = &mut original;
            // Runs when it is awaited, if it is.
            let create = async {
                let made = taken(original)().await;
                if let Err(error) = &made {
                    errors.keep_async(place, error).await;
                }
                made.map_err(Returned)
            };
            match run {
                Run::Call => {
                    let create = || async move {
                        match errors.find_async(place).await {
                            Some(kept) => Err(Returned(kept)),
                            None => create.await,
                        }
                    };
                    entry.try_get_or_create_async(create).await
                }
                Run::Refresh => {
                    let create = || async move {
                        let value = create.await?;
                        errors.forget_async(place).await;
                        Ok::<_, Returned<E>>(value)
                    };
                    entry.try_refresh_async(create).await
                }
            }
        }
    };
    match settled(site, outcome) {
        Some(settled) => settled,
        None => taken(&mut original)().await.map(Cached::uncached),
    }
}

/// See [`get`](super::single::get).
pub async fn get_async<T: Cacheable>(place: Result<Place<'_>>) -> Result<Option<Cached<T>>> {
    place?.entry().get_async().await
}

/// See [`set`](super::single::set).
pub async fn set_async<T: Cacheable>(
    place: Result<Place<'_>>,
    value: T,
    of_error: bool,
) -> Result<()> {
    let place = place?;
    if of_error {
        forget_async(&place).await?;
    }
    place.entry().set_async(value).await.map(drop)
}

/// See [`invalidate`](super::single::invalidate).
pub async fn invalidate_async(place: Result<Place<'_>>, of_error: bool) -> Result<()> {
    let place = place?;
    if of_error {
        forget_async(&place).await?;
    }
    place.region.delete_async(&place.key).await
}
