//! A value as text that no other value of its type has.
//!
//! Each of serde's forms has a spelling of its own: numbers and the words `true`, `false`, `None`, `()` are bare, text
//! is quoted, and the names of variants have a dot before them. What holds other values says where it begins and ends.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::unwritable::Unwritable;

type Result<T = ()> = std::result::Result<T, Unwritable>;

pub(super) struct RustText<'a>(pub(super) &'a mut String);

/// A list in brackets of some kind.
pub(super) struct List<'a> {
    text: &'a mut String,
    is_empty: bool,
    end: char,
}

/// A map's entries, which are put in order at its end.
pub(super) struct Entries<'a> {
    text: &'a mut String,
    list: Vec<(String, String)>,
    key: String,
}

impl<'a> RustText<'a> {
    fn bare(self, value: impl Display) -> Result {
        write!(self.0, "{value}").map_err(|error| Unwritable::new(error.to_string()))
    }

    fn variant(self, name: &str) -> &'a mut String {
        self.0.push('.');
        write_name(self.0, name);
        self.0
    }
}

impl<'a> List<'a> {
    fn open(text: &'a mut String, start: char, end: char) -> Self {
        text.push(start);
        Self {
            text,
            is_empty: true,
            end,
        }
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: Option<&str>, value: &T) -> Result {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        if let Some(name) = name {
            write_name(self.text, name);
            self.text.push(':');
        }
        value.serialize(RustText(self.text))
    }

    fn close(self) {
        self.text.push(self.end);
    }
}

/// A name, in quotes unless it is only letters, digits, `_`, `-` and `.`.
pub(super) fn write_name(text: &mut String, name: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.is_empty() && name.chars().all(is_plain) {
        text.push_str(name);
    } else {
        write_quoted(text, name, '"');
    }
}

/// Only what would end the quotes and control characters are escaped, so that it does not depend on a table of
/// characters that grows with each version of Unicode.
fn write_quoted(text: &mut String, content: &str, quote: char) {
    let is_plain = |c: char| c != '\\' && c != quote && !c.is_ascii_control();
    text.reserve(content.len() + 2);
    text.push(quote);
    if content.chars().all(is_plain) {
        text.push_str(content);
        text.push(quote);
        return;
    }
    for c in content.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            _ if c == quote => text.extend(['\\', c]),
            _ if c.is_ascii_control() => text.extend(c.escape_unicode()),
            _ => text.push(c),
        }
    }
    text.push(quote);
}

impl<'a> Serializer for RustText<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = List<'a>;
    type SerializeStructVariant = List<'a>;

    fn serialize_bool(self, value: bool) -> Result {
        self.bare(value)
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.bare(value)
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.bare(value)
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.bare(value)
    }

    fn serialize_i64(self, value: i64) -> Result {
        self.bare(value)
    }

    fn serialize_i128(self, value: i128) -> Result {
        self.bare(value)
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.bare(value)
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.bare(value)
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.bare(value)
    }

    fn serialize_u64(self, value: u64) -> Result {
        self.bare(value)
    }

    fn serialize_u128(self, value: u128) -> Result {
        self.bare(value)
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.bare(format_args!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.bare(format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result {
        write_quoted(self.0, value.encode_utf8(&mut [0; 4]), '\'');
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result {
        write_quoted(self.0, value, '"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.0.push_str("0x");
        value
            .iter()
            .try_for_each(|byte| RustText(self.0).bare(format_args!("{byte:02x}")))
    }

    fn serialize_none(self) -> Result {
        self.bare("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        self.0.push_str("Some(");
        value.serialize(RustText(self.0))?;
        self.0.push(')');
        Ok(())
    }

    fn serialize_unit(self) -> Result {
        self.bare("()")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.bare("()")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.variant(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        let mut list = List::open(self.variant(variant), '(', ')');
        list.add(None, value)?;
        list.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>> {
        Ok(List::open(self.0, '[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>> {
        Ok(List::open(self.0, '(', ')'))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>> {
        Ok(List::open(self.0, '(', ')'))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>> {
        Ok(List::open(self.variant(variant), '(', ')'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>> {
        Ok(Entries {
            text: self.0,
            list: Vec::new(),
            key: String::new(),
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<List<'a>> {
        Ok(List::open(self.0, '{', '}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>> {
        Ok(List::open(self.variant(variant), '{', '}'))
    }
}

/// The forms of serde that are lists, and the name of what adds an element.
macro_rules! list {
    ($($form:ident $add:ident;)*) => {$(
        impl $form for List<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.add(None, value)
            }

            fn end(self) -> Result {
                self.close();
                Ok(())
            }
        }
    )*};
}

list! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

impl SerializeStruct for List<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.add(Some(name), value)
    }

    fn end(self) -> Result {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for List<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.add(Some(name), value)
    }

    fn end(self) -> Result {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.key.clear();
        key.serialize(RustText(&mut self.key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let mut text = String::new();
        value.serialize(RustText(&mut text))?;
        self.list.push((std::mem::take(&mut self.key), text));
        Ok(())
    }

    fn end(mut self) -> Result {
        self.list.sort();
        self.text.push_str("#{");
        for (at, (key, value)) in self.list.iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.text.extend([key, ":", value]);
        }
        self.text.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn text(value: impl Serialize) -> String {
        let mut text = String::new();
        value.serialize(RustText(&mut text)).unwrap();
        text
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        One(u8),
        #[serde(rename = "two parts")]
        Two(u8, &'static str),
        Named {
            a: Option<u8>,
        },
    }

    #[derive(Serialize)]
    struct Id(u64);

    #[derive(Serialize)]
    struct Point {
        x: f64,
        y: i8,
    }

    #[test]
    fn every_form_of_value_can_be_read() {
        let map = HashMap::from([("b", 1), ("a", 2), ("c", 3)]);
        for (found, expected) in [
            (text(42), "42"),
            (text(u128::MAX), "340282366920938463463374607431768211455"),
            (text(-1.0), "-1.0"),
            (text(true), "true"),
            (text("a"), r#""a""#),
            (text('a'), "'a'"),
            (text(()), "()"),
            (text(None::<u8>), "None"),
            (text(Some(Some(1))), "Some(Some(1))"),
            (text(["a", "b"].as_slice()), r#"["a","b"]"#),
            (text((1, "a")), r#"(1,"a")"#),
            (text(Id(1)), "1"),
            (text(Point { x: 0.5, y: -1 }), "{x:0.5,y:-1}"),
            (text(Shape::Unit), ".Unit"),
            (text(Shape::One(1)), ".One(1)"),
            (text(Shape::Two(1, "x")), r#"."two parts"(1,"x")"#),
            (text(Shape::Named { a: None }), ".Named{a:None}"),
            (text(map), r#"#{"a":2,"b":1,"c":3}"#),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_would_end_the_quotes_and_control_characters_are_escaped() {
        assert_eq!(text("a\"b\\c'"), r#""a\"b\\c'""#);
        assert_eq!(text('\''), r"'\''");
        assert_eq!(text("\n\0é\u{200b}"), "\"\\u{a}\\u{0}é\u{200b}\"");
    }

    #[test]
    fn values_that_look_alike_have_different_texts() {
        fn all_different(texts: &[String]) {
            for (at, text) in texts.iter().enumerate() {
                assert!(!texts[..at].contains(text), "{text} twice in {texts:?}");
            }
        }
        let texts = |values: &[serde_json::Value]| values.iter().map(text).collect::<Vec<_>>();
        all_different(&texts(&[
            serde_json::json!(null),
            serde_json::json!("null"),
            serde_json::json!("None"),
            serde_json::json!(1),
            serde_json::json!(1.0),
            serde_json::json!("1"),
            serde_json::json!(true),
            serde_json::json!("true"),
            serde_json::json!([]),
            serde_json::json!({}),
            serde_json::json!([[]]),
            serde_json::json!(["1,2"]),
            serde_json::json!(["1", "2"]),
            serde_json::json!(["1\",\"2"]),
            serde_json::json!({"a": 1}),
            serde_json::json!({"a:1": 1}),
        ]));
        all_different(&[
            text(None::<Option<u8>>),
            text(Some(None::<u8>)),
            text(Some(Some(0))),
        ]);
        all_different(&[text(f64::NAN), text(f64::INFINITY), text(0.0), text(-0.0)]);
        let pairs = [
            ("1 2", "3"),
            ("1", "2 3"),
            ("1\",\"2", "3"),
            ("1", "2\",\"3"),
        ];
        all_different(&pairs.map(text));
        let maps = [BTreeMap::from([(Some(1), 2)]), BTreeMap::from([(None, 2)])];
        all_different(&maps.map(text));
    }
}
