//! Calls of functions of several keys.

use std::convert::Infallible;

use super::batch::Batch;
use super::errors::{Returned, SharedError, settled};
use super::places::{Numbered, Places};
use super::single::Run;
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Cached};

/// The values of a call, in the order of its keys.
type Values<T> = Vec<Option<Cached<T>>>;

/// The cached values; `original` gives those that are missing. If the cache fails, it gives all, without the cache.
/// `finish` makes of a cached value what the function returns.
pub fn call_multi<R, K, U>(
    run: Run,
    site: &Site,
    places: Result<Places<'_>>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    finish: impl Fn(Cached<R::Value>) -> U,
    mut original: impl FnMut(&[K]) -> R,
) -> R::Of<U>
where
    R: Batch<K, Value: Cacheable>,
    K: Clone,
{
    let original = |keys: &[K]| Ok::<_, Infallible>(original(keys));
    let Ok(values) = try_call_multi(run, site, places, keys, keep, finish, original);
    values
}

/// The same, of a function that can fail.
pub fn try_call_multi<R, K, E, U>(
    run: Run,
    site: &Site,
    places: Result<Places<'_>>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    finish: impl Fn(Cached<R::Value>) -> U,
    mut original: impl FnMut(&[K]) -> Result<R, E>,
) -> Result<R::Of<U>, E>
where
    R: Batch<K, Value: Cacheable>,
    K: Clone,
    E: SharedError,
{
    let outcome = places.and_then(|places| {
        let numbered = places.numbered();
        let entries = places.entries(&numbered).bypass().should_cache(keep);
        let create = |missing: &[Numbered]| {
            let missing = in_order(run, missing.to_vec());
            let wanted = own_keys(&missing, keys);
            let made = original(&wanted).map_err(Returned)?;
            Ok::<_, Returned<E>>(pairs(missing, made.into_values(&wanted)))
        };
        match run {
            Run::Call => entries.try_get_or_create(create),
            Run::Refresh => entries.try_refresh(create),
        }
    });
    let values = match whole::<R, K, E>(settled(site, outcome)) {
        Some(settled) => settled?,
        None => uncached(original(keys)?.into_values(keys)),
    };
    Ok(finished::<R, K, U>(keys, values, finish))
}

/// Or nothing, if values are missing that the function has to give: another one that has these keys has left them out.
pub(super) fn whole<R: Batch<K>, K, E>(
    settled: Option<Result<Values<R::Value>, E>>,
) -> Option<Result<Values<R::Value>, E>> {
    settled.filter(|settled| settled.as_ref().map_or(true, |values| R::is_whole(values)))
}

pub(super) fn uncached<T: Send + Sync + 'static>(values: Vec<Option<T>>) -> Values<T> {
    let values = values.into_iter();
    values.map(|value| value.map(Cached::uncached)).collect()
}

pub(super) fn finished<R: Batch<K>, K, U>(
    keys: &[K],
    values: Values<R::Value>,
    finish: impl Fn(Cached<R::Value>) -> U,
) -> R::Of<U> {
    let values = values.into_iter().map(|value| value.map(&finish));
    R::gather(keys, values.collect())
}

/// As the function gets them: what is missing in the order of the region, and all in the caller's.
pub(super) fn in_order(run: Run, mut numbered: Vec<Numbered>) -> Vec<Numbered> {
    if let Run::Refresh = run {
        numbered.sort_by_key(|numbered| numbered.number);
    }
    numbered
}

/// The function's own keys of those numbers.
pub(super) fn own_keys<K: Clone>(numbered: &[Numbered], keys: &[K]) -> Vec<K> {
    let numbers = numbered.iter().map(|numbered| numbered.number);
    numbers.map(|number| keys[number].clone()).collect()
}

pub(super) fn pairs<K, T>(keys: Vec<K>, values: Vec<Option<T>>) -> impl Iterator<Item = (K, T)> {
    let pairs = keys.into_iter().zip(values);
    pairs.filter_map(|(key, value)| Some((key, value?)))
}

/// The fresh values, in the order of the keys.
pub fn get_multi<T: Cacheable>(places: Result<Places<'_>>) -> Result<Values<T>> {
    let places = places?;
    places.entries(&places.keys).get()
}

/// Stores a value under each key.
pub fn set_multi<T: Cacheable>(places: Result<Places<'_>>, values: Vec<T>) -> Result<()> {
    let places = places?;
    places.entries(&places.keys).set(values).map(drop)
}

/// Removes the values.
pub fn invalidate_multi(places: Result<Places<'_>>) -> Result<()> {
    let places = places?;
    places.region.delete_multi(&places.keys)
}
