//! From a payload to a string or bytes.

use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};

use super::error::RawError;

/// A payload, as what its reader asks for: a string if it is one, bytes, or an array of bytes.
pub(super) struct Payload<'a>(pub(super) &'a [u8]);

impl<'a> Payload<'a> {
    fn text(&self) -> Result<&'a str, RawError> {
        std::str::from_utf8(self.0).map_err(RawError::custom)
    }

    fn array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        let mut bytes = SeqDeserializer::new(self.0.iter().copied().map(Byte));
        let value = visitor.visit_seq(&mut bytes)?;
        bytes.end()?;
        Ok(value)
    }
}

/// One element of an array: a `u8`, and nothing else.
struct Byte(u8);

impl IntoDeserializer<'_, RawError> for Byte {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! refuse {
    ($($method:ident: $what:literal),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, RawError> {
            Err(RawError::refused($what))
        })*
    };
}

/// What neither a payload nor one of its bytes can be.
macro_rules! refuse_the_rest {
    () => {
        refuse! {
            deserialize_bool: "a boolean", deserialize_char: "a single character",
            deserialize_i8: "a number", deserialize_i16: "a number", deserialize_i32: "a number",
            deserialize_i64: "a number", deserialize_i128: "a number", deserialize_u16: "a number",
            deserialize_u32: "a number", deserialize_u64: "a number", deserialize_u128: "a number",
            deserialize_f32: "a number", deserialize_f64: "a number", deserialize_option: "an `Option`",
            deserialize_unit: "a unit", deserialize_map: "a map", deserialize_identifier: "a map",
        }

        fn deserialize_unit_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: V,
        ) -> Result<V::Value, RawError> {
            Err(RawError::refused("a unit"))
        }

        fn deserialize_tuple_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: usize,
            _: V,
        ) -> Result<V::Value, RawError> {
            Err(RawError::refused("a tuple struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, RawError> {
            Err(RawError::refused("a struct"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, RawError> {
            Err(RawError::refused("an enum"))
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, RawError> {
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_ignored_any<V: Visitor<'de>>(
            self,
            visitor: V,
        ) -> Result<V::Value, RawError> {
            visitor.visit_unit()
        }
    };
}

impl<'de> Deserializer<'de> for Payload<'_> {
    type Error = RawError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        match self.text() {
            Ok(text) => visitor.visit_str(text),
            Err(_) => visitor.visit_bytes(self.0),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        self.array(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, RawError> {
        self.array(visitor)
    }

    refuse! { deserialize_u8: "a number" }

    refuse_the_rest! {}
}

impl<'de> Deserializer<'de> for Byte {
    type Error = RawError;

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RawError> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, RawError> {
        Err(RawError::refused("an array in an array"))
    }

    refuse! {
        deserialize_any: "an array of something else than `u8`",
        deserialize_str: "a string in an array", deserialize_string: "a string in an array",
        deserialize_bytes: "bytes in an array", deserialize_byte_buf: "bytes in an array",
        deserialize_seq: "an array in an array",
    }

    refuse_the_rest! {}
}
