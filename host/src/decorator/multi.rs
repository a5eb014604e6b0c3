//! Calls of functions of several keys.

use std::convert::Infallible;

use super::batch::Batch;
use super::errors::{Returned, SharedError, returned};
use super::places::{Numbered, Places};
use super::renewed::Renewed;
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
    let outcome = places.and_then(|places| match run {
        Run::Call => cached(&places, keys, keep, &mut original).map(Ok),
        Run::Refresh => refreshed(&places, keys, keep, &mut original),
    });
    match settled::<R, K, E>(site, outcome) {
        Settled::Values(values) => Ok(finished::<R, K, U>(keys, values, finish)),
        Settled::Failed(error) => Err(error),
        Settled::Uncached => {
            let values = original(keys)?.into_values(keys);
            let values = values.into_iter().map(|value| value.map(Cached::uncached));
            Ok(finished::<R, K, U>(keys, values.collect(), finish))
        }
    }
}

fn cached<R, K, E>(
    places: &Places<'_>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    original: &mut impl FnMut(&[K]) -> Result<R, E>,
) -> Result<Values<R::Value>>
where
    R: Batch<K, Value: Cacheable>,
    K: Clone,
    E: SharedError,
{
    let numbered = places.numbered();
    let entries = places.entries(&numbered).bypass().should_cache(keep);
    entries.try_get_or_create(|missing| {
        let wanted = own_keys(missing, keys);
        let made = original(&wanted).map_err(Returned)?;
        Ok::<_, Returned<E>>(pairs(missing.to_vec(), made.into_values(&wanted)))
    })
}

/// The outer error is the cache's, the inner one the function's.
fn refreshed<R, K, E>(
    places: &Places<'_>,
    keys: &[K],
    keep: impl Fn(&R::Value) -> bool,
    original: &mut impl FnMut(&[K]) -> Result<R, E>,
) -> Result<Result<Values<R::Value>, E>>
where
    R: Batch<K, Value: Cacheable>,
{
    places.check()?;
    let made = match original(keys) {
        Ok(made) => made.into_values(keys),
        Err(error) => return Ok(Err(error)),
    };
    let (to_store, renewed) = Renewed::sort(places, made, keep);
    let entries = places.entries(&to_store.keys).bypass();
    Ok(Ok(renewed.with(entries.set(to_store.values)?)))
}

/// What a call has come to.
pub(super) enum Settled<T, E> {
    Values(Values<T>),
    Failed(E),
    /// The function has to run without the cache.
    Uncached,
}

pub(super) fn settled<R: Batch<K>, K, E: SharedError>(
    site: &Site,
    outcome: Result<Result<Values<R::Value>, E>>,
) -> Settled<R::Value, E> {
    match outcome {
        Ok(Ok(values)) if R::is_whole(&values) => Settled::Values(values),
        // Another function that has these keys has no value for one of them.
        Ok(Ok(_)) => Settled::Uncached,
        Ok(Err(error)) => Settled::Failed(error),
        Err(error) => returned(&error).map_or_else(
            || {
                site.warn(&error);
                Settled::Uncached
            },
            Settled::Failed,
        ),
    }
}

pub(super) fn finished<R: Batch<K>, K, U>(
    keys: &[K],
    values: Values<R::Value>,
    finish: impl Fn(Cached<R::Value>) -> U,
) -> R::Of<U> {
    let values = values.into_iter().map(|value| value.map(&finish));
    R::gather(keys, values.collect())
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
