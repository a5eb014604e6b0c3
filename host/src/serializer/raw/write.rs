//! From a string or bytes to a payload.

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeTuple, Serializer};

use super::error::RawError;

/// Takes one string, one run of bytes, or an array of bytes.
pub(super) struct Writer<'a> {
    into: &'a mut Vec<u8>,
    /// It is in an array: takes one byte.
    within: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(into: &'a mut Vec<u8>) -> Self {
        Self {
            into,
            within: false,
        }
    }

    fn whole(self, bytes: &[u8], what: &str) -> Result<(), RawError> {
        if self.within {
            return Err(RawError::refused(what));
        }
        self.into.extend_from_slice(bytes);
        Ok(())
    }

    fn array(self) -> Result<Array<'a>, RawError> {
        if self.within {
            return Err(RawError::refused("an array in an array"));
        }
        Ok(Array(self.into))
    }
}

/// The elements of an array.
pub(super) struct Array<'a>(&'a mut Vec<u8>);

impl Array<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RawError> {
        value.serialize(Writer {
            into: self.0,
            within: true,
        })
    }
}

impl SerializeSeq for Array<'_> {
    type Ok = ();
    type Error = RawError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RawError> {
        self.element(value)
    }

    fn end(self) -> Result<(), RawError> {
        Ok(())
    }
}

impl SerializeTuple for Array<'_> {
    type Ok = ();
    type Error = RawError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RawError> {
        self.element(value)
    }

    fn end(self) -> Result<(), RawError> {
        Ok(())
    }
}

macro_rules! refuse_numbers {
    ($($method:ident: $number:ty),*) => {
        $(fn $method(self, _: $number) -> Result<(), RawError> {
            Err(RawError::refused(concat!("a number (", stringify!($number), ")")))
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = RawError;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Impossible<(), RawError>;
    type SerializeTupleVariant = Impossible<(), RawError>;
    type SerializeMap = Impossible<(), RawError>;
    type SerializeStruct = Impossible<(), RawError>;
    type SerializeStructVariant = Impossible<(), RawError>;

    fn serialize_str(self, text: &str) -> Result<(), RawError> {
        self.whole(text.as_bytes(), "a string in an array")
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), RawError> {
        self.whole(bytes, "bytes in an array")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, RawError> {
        self.array()
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, RawError> {
        self.array()
    }

    fn serialize_u8(self, byte: u8) -> Result<(), RawError> {
        if !self.within {
            return Err(RawError::refused("a number (u8)"));
        }
        self.into.push(byte);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), RawError> {
        value.serialize(self)
    }

    refuse_numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_bool(self, _: bool) -> Result<(), RawError> {
        Err(RawError::refused("a boolean"))
    }

    fn serialize_char(self, _: char) -> Result<(), RawError> {
        Err(RawError::refused("a single character"))
    }

    fn serialize_none(self) -> Result<(), RawError> {
        Err(RawError::refused("an `Option`"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), RawError> {
        Err(RawError::refused("an `Option`"))
    }

    fn serialize_unit(self) -> Result<(), RawError> {
        Err(RawError::refused("a unit"))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), RawError> {
        Err(RawError::refused("a unit"))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), RawError> {
        Err(RawError::refused("an enum"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), RawError> {
        Err(RawError::refused("an enum"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, RawError> {
        Err(RawError::refused("a tuple struct"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, RawError> {
        Err(RawError::refused("an enum"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, RawError> {
        Err(RawError::refused("a map"))
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, RawError> {
        Err(RawError::refused("a struct"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, RawError> {
        Err(RawError::refused("an enum"))
    }
}
