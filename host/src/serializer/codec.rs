//! The serializer that a region has.

use std::sync::Arc;

use arc_swap::Guard;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    AnyValue, Destination, Serializer, SerializerError, SerializerKind, message_pack, raw,
};

/// A serializer of the program's own, as a region keeps it.
pub(crate) struct Own(pub(crate) Box<dyn Serializer>);

/// A region's serializer for the length of one call: the program's own if it has set one, else the configured one.
///
/// The built-in ones are called by their types, so that a value costs no dynamic call for each of its fields.
pub(crate) struct Codec {
    kind: SerializerKind,
    own: Guard<Option<Arc<Own>>>,
}

impl Codec {
    pub(crate) fn new(kind: SerializerKind, own: Guard<Option<Arc<Own>>>) -> Self {
        Self { kind, own }
    }

    fn own(&self) -> Option<&dyn Serializer> {
        self.own.as_ref().map(|own| &*own.0)
    }

    /// Its name, as it is stored.
    pub(crate) fn name(&self) -> &str {
        self.own().map_or(self.kind.name(), Serializer::name)
    }

    /// What its payloads are, in words.
    pub(crate) fn title(&self) -> String {
        match (self.own(), self.kind) {
            (Some(own), _) => format!("a payload of the serializer `{}`", own.name()),
            (None, SerializerKind::Json) => "JSON".to_owned(),
            (None, SerializerKind::MessagePack) => "MessagePack".to_owned(),
            (None, SerializerKind::Raw) => "raw bytes".to_owned(),
        }
    }

    /// Appends a value to `payload`.
    pub(crate) fn encode<T: Serialize + 'static>(
        &self,
        value: &T,
        payload: &mut Vec<u8>,
    ) -> Result<(), SerializerError> {
        match (self.own(), self.kind) {
            (Some(own), _) => own.serialize(&AnyValue::new(value), payload),
            (None, SerializerKind::Json) => Ok(serde_json::to_writer(payload, value)?),
            (None, SerializerKind::MessagePack) => Ok(message_pack::encode(value, payload)?),
            (None, SerializerKind::Raw) => Ok(raw::encode(value, payload)?),
        }
    }

    /// The payload as a value, if it is one as a whole.
    pub(crate) fn decode<T: DeserializeOwned + 'static>(
        &self,
        payload: &[u8],
    ) -> Result<T, SerializerError> {
        match (self.own(), self.kind) {
            (Some(own), _) => {
                let mut place = None;
                own.deserialize(payload, &mut Destination::new(&mut place))?;
                place.ok_or_else(|| "it reported success without reading a value".into())
            }
            (None, SerializerKind::Json) => Ok(serde_json::from_slice(payload)?),
            (None, SerializerKind::MessagePack) => Ok(message_pack::decode(payload)?),
            (None, SerializerKind::Raw) => Ok(raw::decode(payload)?),
        }
    }

    /// Whether a payload is the value of some type.
    pub(crate) fn check(&self, payload: &[u8]) -> Result<(), SerializerError> {
        // What is ignored is not looked at closely: a number that is too large, a text that is none.
        match (self.own(), self.kind) {
            (None, SerializerKind::Json) => self.decode::<serde_json::Value>(payload).map(drop),
            (None, SerializerKind::MessagePack) => Ok(message_pack::check(payload)?),
            _ => self.decode::<IgnoredAny>(payload).map(|IgnoredAny| ()),
        }
    }

    /// Whether a payload that it wrote can look like a pickle of Python's.
    pub(crate) fn may_look_pickled(&self) -> bool {
        self.own.is_some() || self.kind == SerializerKind::Raw
    }
}
