//! Calls of functions of one key.

use std::convert::Infallible;

use super::errors::{DropErrors, Errors, Returned, SharedError, forget, settled};
use super::place::Place;
use crate::Result;
use crate::key_generator::Site;
use crate::region::{Cacheable, Cached};

/// Whether a stored value will do.
#[derive(Clone, Copy)]
pub enum Run {
    /// It does.
    Call,
    /// It does not: a new one is stored.
    Refresh,
}

/// The cached value, or what `original` gives. If the cache fails, `original` runs without it.
pub fn call<T: Cacheable>(
    run: Run,
    site: &Site,
    place: Result<Place<'_>>,
    keep: impl Fn(&T) -> bool,
    original: impl FnOnce() -> T,
) -> Cached<T> {
    let original = || Ok(original());
    let Ok(cached) = try_call::<T, Infallible>(run, site, place, keep, &DropErrors, original);
    cached
}

/// The same, of a function that can fail. A refresh that fails leaves the stored value as it is.
pub fn try_call<T: Cacheable, E: SharedError>(
    run: Run,
    site: &Site,
    place: Result<Place<'_>>,
    keep: impl Fn(&T) -> bool,
    errors: &impl Errors<E>,
    original: impl FnOnce() -> Result<T, E>,
) -> Result<Cached<T>, E> {
    let mut original = Some(original);
    let outcome = place.and_then(|place| {
        let entry = place.entry().bypass().should_cache(keep);
        let mut create = || {
            taken(&mut original)().map_err(|error| {
                errors.keep(&place, &error);
                Returned(error)
            })
        };
        match run {
            Run::Call => entry.try_get_or_create(|| match errors.find(&place) {
                Some(kept) => Err(Returned(kept)),
                None => create(),
            }),
            Run::Refresh => entry.try_refresh(|| create().inspect(|_| errors.forget(&place))),
        }
    });
    settled(site, outcome).unwrap_or_else(|| taken(&mut original)().map(Cached::uncached))
}

/// The fresh value, if there is one.
pub fn get<T: Cacheable>(place: Result<Place<'_>>) -> Result<Option<Cached<T>>> {
    place?.entry().get()
}

/// Stores a value; `of_error`: an error may be kept beside it, which is forgotten.
pub fn set<T: Cacheable>(place: Result<Place<'_>>, value: T, of_error: bool) -> Result<()> {
    let place = place?;
    if of_error {
        forget(&place)?;
    }
    place.entry().set(value).map(drop)
}

/// Removes the value and, if one may be kept, the error.
pub fn invalidate(place: Result<Place<'_>>, of_error: bool) -> Result<()> {
    let place = place?;
    if of_error {
        forget(&place)?;
    }
    place.region.delete(&place.key)
}

/// A call that bypasses what fails in the cache ends with an error only if its creator has not run, or failed itself.
pub(super) fn taken<F>(original: &mut Option<F>) -> F {
    original
        .take()
        .expect("a call that created a value returns it")
}
