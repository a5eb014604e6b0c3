//! Backend calls with several keys.

use std::sync::Arc;

use dogpile_lock::{Held, Lent, Storing};
use dogpile_plugin_api::{Guarded, Key, Lease, Result, Value};

use super::creating::Stored;
use crate::instance::{Failure, Instance, KeyMutex};

/// A value to be stored, and what it is stored under.
pub(super) type Store = (
    Value,
    Storing<Value, Failure, Held<KeyMutex>>,
    Option<Lent<KeyMutex>>,
);

/// With one call of the backend. If that fails, each by itself: one that cannot be read or stored keeps none of the others
/// away.
fn together<I, O>(
    items: &[I],
    all: impl FnOnce(&[I]) -> Result<Vec<O>>,
    each: impl FnMut(&I) -> Result<O>,
) -> Vec<Result<O>> {
    if items.is_empty() {
        return Vec::new();
    }
    match all(items) {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if items.len() == 1 => vec![Err(error)],
        Err(_) => items.iter().map(each).collect(),
    }
}

/// Reads, after the locks of the keys were taken.
pub(super) fn get_all_fresh(
    instance: &Arc<Instance>,
    keys: &[Key<'_>],
) -> Vec<Result<Option<Value>>> {
    let backend = &instance.backend;
    together(
        keys,
        |keys| backend.get_multi_fresh(keys),
        |key| backend.get_fresh(key),
    )
}

/// Stores created values: those under a lease with one call, and the others with another. `None` for those whose keys
/// were deleted meanwhile.
pub(super) fn set_all(
    instance: &Instance,
    keys: &[Key<'_>],
    stores: &[Store],
) -> Vec<Option<Stored>> {
    let undeleted = stores.iter().map(|(_, storing, _)| storing.hold());
    let undeleted: Vec<_> = undeleted.collect();
    let leases = stores
        .iter()
        .map(|(.., lease)| lease.as_ref().map(Lent::hold));
    let leases: Vec<_> = leases.collect();
    let (mut free, mut guarded) = (Vec::new(), Vec::new());
    for (at, (key, (value, ..))) in keys.iter().zip(stores).enumerate() {
        if undeleted[at].is_none() {
            continue;
        }
        match &leases[at] {
            None => free.push((*key, value.clone())),
            Some(Some(lease)) => guarded.push((*key, value.clone(), **lease)),
            // It is known to be lost.
            Some(None) => {}
        }
    }
    let mut free = set_free(instance, &free).into_iter();
    let mut guarded = set_guarded(instance, &guarded).into_iter();
    let outcomes = undeleted.iter().zip(&leases).map(|(undeleted, lease)| {
        undeleted.as_ref()?;
        Some(match lease {
            None => free.next().expect("each that was stored has an outcome"),
            Some(Some(_)) => guarded.next().expect("each that was stored has an outcome"),
            Some(None) => Ok(Guarded::LeaseLost),
        })
    });
    outcomes.collect()
}

fn set_free(instance: &Instance, entries: &[(Key<'_>, Value)]) -> Vec<Stored> {
    let backend = &instance.backend;
    together(
        entries,
        |entries| {
            backend.set_multi(entries)?;
            Ok(vec![Guarded::Stored; entries.len()])
        },
        |(key, value)| backend.set(key, value).map(|()| Guarded::Stored),
    )
}

fn set_guarded(instance: &Instance, entries: &[(Key<'_>, Value, Lease)]) -> Vec<Stored> {
    let backend = &instance.backend;
    together(
        entries,
        |entries| backend.set_guarded_multi(entries),
        |(key, value, lease)| backend.set_guarded(key, value, lease),
    )
}

/// Stores several values, under no lock.
pub(super) fn set_multi(instance: &Instance, keys: &[Key<'_>], values: Vec<Value>) -> Result<()> {
    let entries: Vec<_> = keys.iter().copied().zip(values).collect();
    instance.backend.set_multi(&entries)
}
