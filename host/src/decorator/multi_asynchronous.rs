//! Calls of asynchronous functions of several keys.

use std::convert::Infallible;

use super::batch::Batch;
use super::errors::{Returned, SharedError, settled};
use super::multi::{finished, in_order, own_keys, pairs, uncached, whole};
use super::places::{Numbered, Places};
use super::single::Run;
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Cached};

/// See [`call_multi`](super::multi::call_multi).
pub async fn call_multi_async<R, K, U, F>(
    run: Run,
    site: &Site,
    places: Result<Places<'_>>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    finish: impl Fn(Cached<R::Value>) -> U,
    mut original: impl FnMut(Vec<K>) -> F,
) -> R::Of<U>
where
    R: Batch<K, Value: Cacheable>,
    K: Clone,
    F: Future<Output = R>,
{
    let original = |keys| {
        let made = original(keys);
        async { Ok::<_, Infallible>(made.await) }
    };
    let Ok(values) = try_call_multi_async(run, site, places, keys, keep, finish, original).await;
    values
}

/// See [`try_call_multi`](super::multi::try_call_multi).
pub async fn try_call_multi_async<R, K, E, U, F>(
    run: Run,
    site: &Site,
    places: Result<Places<'_>>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    finish: impl Fn(Cached<R::Value>) -> U,
    mut original: impl FnMut(Vec<K>) -> F,
) -> Result<R::Of<U>, E>
where
    R: Batch<K, Value: Cacheable>,
    K: Clone,
    E: SharedError,
    F: Future<Output = Result<R, E>>,
{
    let outcome = match places {
        Err(error) => Err(error),
        Ok(places) => {
            let numbered = places.numbered();
            let entries = places.entries(&numbered).bypass().should_cache(keep);
            let create = |missing: Vec<Numbered>| {
                let missing = in_order(run, missing);
                let wanted = own_keys(&missing, keys);
                let made = original(wanted.clone());
                async move {
                    let made = made.await.map_err(Returned)?;
                    Ok::<_, Returned<E>>(pairs(missing, made.into_values(&wanted)))
                }
            };
            match run {
                Run::Call => entries.try_get_or_create_async(create).await,
                Run::Refresh => entries.try_refresh_async(create).await,
            }
        }
    };
    let values = match whole::<R, K, E>(settled(site, outcome)) {
        Some(settled) => settled?,
        None => uncached(original(keys.to_vec()).await?.into_values(keys)),
    };
    Ok(finished::<R, K, U>(keys, values, finish))
}

/// See [`get_multi`](super::multi::get_multi).
pub async fn get_multi_async<T: Cacheable>(
    places: Result<Places<'_>>,
) -> Result<Vec<Option<Cached<T>>>> {
    let places = places?;
    places.entries(&places.keys).get_async().await
}

/// See [`set_multi`](super::multi::set_multi).
pub async fn set_multi_async<T: Cacheable>(
    places: Result<Places<'_>>,
    values: Vec<T>,
) -> Result<()> {
    let places = places?;
    let entries = places.entries(&places.keys);
    entries.set_async(values).await.map(drop)
}

/// See [`invalidate_multi`](super::multi::invalidate_multi).
pub async fn invalidate_multi_async(places: Result<Places<'_>>) -> Result<()> {
    let places = places?;
    places.region.delete_multi_async(&places.keys).await
}
