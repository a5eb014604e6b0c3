//! Putting a value where the backend keeps it.

use dogpile_plugin_api::{Metadata, Object, Storage, Value};

use super::Region;
use super::call::Call;
use super::envelope::Envelope;
use super::form::Form;
use super::mangle::BackendKey;
use crate::Result;
use crate::registry::Configured;

/// A value as an object: with its times, and with its weight if it is stored like that.
pub(super) fn object<T: Send + Sync + 'static>(
    handle: &Region,
    region: &Configured,
    key: &BackendKey<'_>,
    call: &Call,
    started: u64,
    value: T,
) -> Object<T> {
    let weight = match region.instance.properties.storage {
        Storage::Objects => handle.slot().weigh(&value),
        Storage::Bytes => 0,
    };
    Object::new(
        &metadata(handle, region, call, started, weight),
        key.key(),
        value,
    )
}

/// Of a value whose creation ends now.
pub(super) fn metadata(
    handle: &Region,
    region: &Configured,
    call: &Call,
    started: u64,
    weight: u32,
) -> Metadata {
    let created = handle.clock().exact().max(started);
    Metadata {
        created,
        started,
        keep_until: keep_until(region, call, created),
        weight,
    }
}

/// When nobody may want a value any more; 0: never.
fn keep_until(region: &Configured, call: &Call, created: u64) -> u64 {
    let expiration_time = call
        .expiration_time
        .unwrap_or(region.expiry.expiration_time);
    created
        .checked_add(expiration_time)
        .and_then(|expires| expires.checked_add(region.expiry.max_stale))
        .unwrap_or(0)
}

/// Stores an object as it is, or its bytes in dogpile's envelope, as the backend wants. A backend that fails is
/// counted and logged, or ends the call, as `on_backend_error` says.
pub(super) fn store<T: Send + Sync + 'static, F: Form<T>>(
    handle: &Region,
    region: &Configured,
    key: &BackendKey<'_>,
    object: &Object<T>,
) -> Result<()> {
    let backend = &region.instance.backend;
    let stored = match region.instance.properties.storage {
        Storage::Objects => {
            if let Some(encoder) = F::ENCODER {
                handle.slot().learn::<T>(encoder);
            }
            backend.set(&key.key(), object.as_value())
        }
        Storage::Bytes => {
            let metadata = Metadata {
                weight: handle.slot().weigh::<T>(object),
                ..object.as_value().metadata()
            };
            let mut bytes = Envelope::of(&metadata, region.config.value_version).header();
            F::encode(object, &mut bytes)?;
            backend.set(&key.key(), &Value::with(&metadata, key.key(), bytes))
        }
    };
    match stored {
        Ok(()) => Ok(()),
        Err(error) => handle.backend_failed(region, "set", error),
    }
}
