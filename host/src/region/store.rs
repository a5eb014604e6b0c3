//! Putting a value where the backend keeps it.

use std::time::Duration;

use dogpile_plugin_api::{Metadata, Object, Storage, Value};

use super::Region;
use super::call::Call;
use super::envelope::Envelope;
use super::form::Form;
use super::mangle::BackendKey;
use super::notes::{self, Notes};
use crate::Result;
use crate::registry::Configured;

/// When a creation started, and when it ended.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) started: u64,
    pub(super) created: u64,
}

impl Times {
    /// How long the creation took.
    pub(super) fn seconds(self) -> f64 {
        Duration::from_nanos(self.created.saturating_sub(self.started)).as_secs_f64()
    }
}

impl Region {
    /// Of a creation that ends now.
    pub(super) fn ends_now(&self, started: u64) -> Times {
        let created = self.clock().exact();
        Times { started, created }
    }
}

/// A value as an object: with its times, and with its weight if it is stored like that.
pub(super) fn object<T: Send + Sync + 'static>(
    handle: &Region,
    region: &Configured,
    key: &BackendKey<'_>,
    call: &Call<'_>,
    times: Times,
    value: T,
) -> Object<T> {
    let weight = match region.instance.properties.storage {
        Storage::Objects => handle.slot().weigh(&value),
        Storage::Bytes => 0,
    };
    let metadata = metadata(region, call, times, weight);
    notes::object(&metadata, key.key(), value, notes(region, call))
}

/// What is noted of a value that a call stores.
pub(super) fn notes(region: &Configured, call: &Call<'_>) -> Notes {
    Notes {
        tags: call.tags.get(),
        expiration_time: call.own_expiration_time,
        value_version: region.config.value_version,
    }
}

pub(super) fn metadata(
    region: &Configured,
    call: &Call<'_>,
    times: Times,
    weight: u32,
) -> Metadata {
    let Times { started, created } = times;
    Metadata {
        created,
        started,
        keep_until: keep_until(region, call, created),
        weight,
    }
}

/// When nobody may want a value any more; 0: never.
fn keep_until(region: &Configured, call: &Call<'_>, created: u64) -> u64 {
    let expiration_time = call
        .own_expiration_time
        .or(call.expiration_time)
        .unwrap_or(region.expiry.expiration_time);
    let longest = region.expiry.max_stale.max(region.expiry.stale_if_error);
    created
        .checked_add(expiration_time)
        .and_then(|expires| expires.checked_add(longest))
        .unwrap_or(0)
}

/// An object as it is, or as bytes in dogpile's envelope, as the backend wants it.
pub(super) fn stored_form<T: Send + Sync + 'static, F: Form<T>>(
    handle: &Region,
    region: &Configured,
    key: &BackendKey<'_>,
    object: &Object<T>,
) -> Result<Value> {
    match region.instance.properties.storage {
        Storage::Objects => {
            if let Some(encoder) = F::ENCODER {
                handle.slot().learn::<T>(encoder);
            }
            Ok(object.as_value().clone())
        }
        Storage::Bytes => {
            let metadata = Metadata {
                weight: handle.slot().weigh::<T>(object),
                ..object.as_value().metadata()
            };
            let codec = region.codec();
            let notes = notes::notes(object.as_value()).clone();
            let mut bytes = Envelope::of(&metadata, notes, codec.name()).header();
            F::encode(region, &codec, object, &mut bytes)?;
            Ok(fitted(&metadata, key, bytes))
        }
    }
}

/// Up to so many bytes are copied behind the key, which saves the value an allocation of its own.
const COPIED: usize = 4096;

/// Bytes as a value without room to spare, since a backend may keep the very value.
pub(super) fn fitted(metadata: &Metadata, key: &BackendKey<'_>, mut bytes: Vec<u8>) -> Value {
    if bytes.len() <= COPIED {
        return Value::copied(metadata, key.key(), &bytes);
    }
    bytes.shrink_to_fit();
    Value::with(metadata, key.key(), bytes)
}
