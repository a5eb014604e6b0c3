//! Values whose type a serializer does not know.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize};

use super::SerializerError;

/// A value of any type, for a [`Serializer`](super::Serializer) to write: it is a serde `Serialize`.
pub struct AnyValue<'a>(&'a dyn erased_serde::Serialize);

impl<'a> AnyValue<'a> {
    pub(super) fn new<T: Serialize>(value: &'a T) -> Self {
        Self(value)
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(self.0, serializer)
    }
}

impl fmt::Debug for AnyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyValue").finish_non_exhaustive()
    }
}

/// Where a [`Serializer`](super::Serializer) puts the value that it reads.
pub struct Destination<'a>(&'a mut dyn Place);

impl<'a> Destination<'a> {
    pub(super) fn new<T: DeserializeOwned>(place: &'a mut Option<T>) -> Self {
        Self(place)
    }

    /// Reads the value from a serde `Deserializer`. It is for the caller to see that nothing follows the value.
    ///
    /// # Errors
    ///
    /// If what is there is not a value of the type that is wanted.
    pub fn read<'de, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
    ) -> Result<(), SerializerError> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        Ok(self.0.read(&mut erased)?)
    }
}

impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").finish_non_exhaustive()
    }
}

trait Place {
    fn read(
        &mut self,
        deserializer: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<(), erased_serde::Error>;
}

impl<T: DeserializeOwned> Place for Option<T> {
    fn read(
        &mut self,
        deserializer: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<(), erased_serde::Error> {
        *self = Some(erased_serde::deserialize(deserializer)?);
        Ok(())
    }
}
