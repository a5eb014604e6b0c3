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

/// Reads with one call, after the locks of the keys were taken. If that fails, each by itself: one that cannot be read
/// hides none of the others.
pub(super) fn get_all_fresh(
    instance: &Arc<Instance>,
    keys: &[Key<'_>],
) -> Vec<Result<Option<Value>>> {
    let backend = &instance.backend;
    match backend.get_multi_fresh(keys) {
        Ok(values) => values.into_iter().map(Ok).collect(),
        Err(error) if keys.len() == 1 => vec![Err(error)],
        Err(_) => keys.iter().map(|key| backend.get_fresh(key)).collect(),
    }
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

/// With one call. If that fails, each by itself: one that cannot be stored keeps none of the others away.
fn set_free(instance: &Instance, entries: &[(Key<'_>, Value)]) -> Vec<Stored> {
    let backend = &instance.backend;
    let stored = match entries {
        [] => return Vec::new(),
        [(key, value)] => vec![backend.set(key, value)],
        entries => match backend.set_multi(entries) {
            Ok(()) => entries.iter().map(|_| Ok(())).collect(),
            Err(_) => entries
                .iter()
                .map(|(key, value)| backend.set(key, value))
                .collect(),
        },
    };
    let stored = stored.into_iter();
    stored
        .map(|stored| stored.map(|()| Guarded::Stored))
        .collect()
}

/// As [`set_free`], of those under a lease.
fn set_guarded(instance: &Instance, entries: &[(Key<'_>, Value, Lease)]) -> Vec<Stored> {
    let backend = &instance.backend;
    if entries.is_empty() {
        return Vec::new();
    }
    match backend.set_guarded_multi(entries) {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if entries.len() == 1 => vec![Err(error)],
        Err(_) => entries
            .iter()
            .map(|(key, value, lease)| backend.set_guarded(key, value, lease))
            .collect(),
    }
}

/// Stores several values, under no lock.
pub(super) fn set_multi(instance: &Instance, keys: &[Key<'_>], values: Vec<Value>) -> Result<()> {
    let entries: Vec<_> = keys.iter().copied().zip(values).collect();
    instance.backend.set_multi(&entries)
}
