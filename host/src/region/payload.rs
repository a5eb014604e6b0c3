//! Values as bytes, for who does not know their type: the `dogpile` command.

use super::CacheKey;
use super::call::Call;
use super::envelope::Envelope;
use super::mangle::BackendKey;
use super::store::{fitted, metadata};
use super::{Region, ValueMetadata};
use crate::registry::configured;
use crate::slot::{Count, Tags};
use crate::{Error, ErrorKind, Result};

/// A stored value as bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Payload {
    /// The payload as it is stored, without the envelope; of an object, its JSON.
    pub bytes: Vec<u8>,
    /// When it was created, and so on.
    pub metadata: ValueMetadata,
}

impl Region {
    /// What is stored under `key`, fresh or not, as bytes; `None` if there is nothing that dogpile wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the backend fails; [`ErrorKind::NotObjects`] of an object that is not serialisable.
    pub fn get_payload(&self, key: impl CacheKey) -> Result<Option<Payload>> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        let got = region.instance.backend.get(&key.key());
        let Some(value) = got.map_err(|error| self.call_failed(region, "get", error))? else {
            return Ok(None);
        };
        let Some(metadata) = ValueMetadata::of(&value, self.clock().exact()) else {
            return Ok(None);
        };
        let bytes = match value.as_bytes() {
            Some(bytes) => Envelope::split(bytes).map_or_else(|_| Vec::new(), |(_, payload)| payload.to_vec()),
            None => self.slot().encode(&value).ok_or_else(|| {
                Error::new(
                    ErrorKind::NotObjects,
                    format!("region `{}`: the value of this key is an object that has no serialised form", self.name()),
                )
            })??,
        };
        Ok(Some(Payload { bytes, metadata }))
    }

    /// Stores a payload as created now: JSON text, which callers read as their own type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serializer`] if it is not JSON; [`ErrorKind::Backend`] if the backend fails.
    pub fn set_payload(&self, key: impl CacheKey, payload: &[u8]) -> Result<()> {
        // Of what it ignores serde does not see whether it is text.
        let json = std::str::from_utf8(payload).map_err(|error| error.to_string());
        let json = json.and_then(|text| {
            let read = serde_json::from_str::<serde::de::IgnoredAny>(text);
            read.map_err(|error| error.to_string())
        });
        json.map_err(|error| {
            let message = format!(
                "the value is not JSON, which region `{}` stores: {error}; quote a text: '\"text\"'",
                self.name()
            );
            Error::new(ErrorKind::Serializer, message)
        })?;
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        let started = self.slot().invalidations.start(self.clock());
        let metadata = metadata(region, Call::PLAIN, self.ends_now(started), 0);
        let mut bytes = Envelope::of(&metadata, region.config.value_version, Tags::NONE).header();
        bytes.extend_from_slice(payload);
        let value = fitted(&metadata, &key, bytes);
        let stored = region.instance.backend.set(&key.key(), &value);
        stored.map_err(|error| {
            self.slot().stats.count(Count::StoreError);
            self.call_failed(region, "set", error)
        })
    }

    /// Whether other processes see what the region's backend stores.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionNotConfigured`].
    pub fn is_shared(&self) -> Result<bool> {
        let snapshot = self.registry().load();
        Ok(configured(&snapshot, self.slot())?
            .instance
            .properties
            .shared)
    }
}
