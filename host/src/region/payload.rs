//! Values as bytes, for who does not know their type: the `dogpile` command.

use dogpile_plugin_api::Value;

use super::CacheKey;
use super::call::Call;
use super::envelope::Envelope;
use super::mangle::BackendKey;
use super::store::{fitted, metadata, notes};
use super::{Region, ValueMetadata};
use crate::registry::{Configured, configured};
use crate::slot::Count;
use crate::{Error, ErrorKind, Result};

/// A stored value as bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Payload {
    /// The payload as it is stored, without the envelope; of an object, what the region's serializer makes of it.
    pub bytes: Vec<u8>,
    /// When it was created, and so on.
    pub metadata: ValueMetadata,
}

impl Region {
    /// What is stored under `key`, fresh or not, as bytes; `None` if there is nothing that dogpile wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the backend fails; of an object, [`ErrorKind::NotObjects`] if it is not serialisable, and
    /// [`ErrorKind::Serializer`] if the region's serializer cannot write it.
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
            Some(bytes) => {
                Envelope::split(bytes).map_or_else(|_| Vec::new(), |(_, payload)| payload.to_vec())
            }
            None => self.object_bytes(region, &value)?,
        };
        Ok(Some(Payload { bytes, metadata }))
    }

    fn object_bytes(&self, region: &Configured, value: &Value) -> Result<Vec<u8>> {
        let codec = region.codec();
        let encoded = self.slot().encode(value, &codec).ok_or_else(|| {
            Error::new(
                ErrorKind::NotObjects,
                format!(
                    "region `{}`: the value of this key is an object that has no serialised form",
                    self.name()
                ),
            )
        })?;
        encoded.map_err(|error| {
            let message = format!(
                "region `{}`: the object of this key cannot be written as {}: {error}",
                self.name(),
                codec.title()
            );
            Error::with_source(ErrorKind::Serializer, message, error)
        })
    }

    /// Stores a payload as created now, exactly so: what the region's serializer reads, such as JSON text. Callers read
    /// it as their own type. What is being created under the key is treated as [`Region::set`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serializer`] if the region's serializer cannot read it; [`ErrorKind::Backend`] if the backend fails.
    pub fn set_payload(&self, key: impl CacheKey, payload: &[u8]) -> Result<()> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let codec = region.codec();
        codec.check(payload).map_err(|error| {
            let remedy = match codec.name() {
                "json" => "; quote a text: '\"text\"'",
                _ => "",
            };
            let message = format!(
                "the value is not {}, which region `{}` stores: {error}{remedy}",
                codec.title(),
                self.name()
            );
            Error::with_source(ErrorKind::Serializer, message, error)
        })?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        self.refuse_record(&key)
            .map_err(|error| self.ended(error))?;
        let started = self.slot().invalidations.start(self.clock());
        let metadata = metadata(region, Call::PLAIN, self.ends_now(started), 0);
        let notes = notes(region, Call::PLAIN);
        let mut bytes = Envelope::of(&metadata, notes, codec.name()).header();
        bytes.extend_from_slice(payload);
        let value = fitted(&metadata, &key, bytes);
        region.instance.creations.delete(key.hash(), key.text());
        let stored = region.instance.backend.set(&key.key(), &value);
        stored.map_err(|error| {
            self.slot().stats.count(Count::StoreError);
            self.call_failed(region, "set", error)
        })?;
        region.instance.spare.forget(&key.key());
        Ok(())
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
