//! A value as Python's `str` writes it, and within lists and tuples as `repr` does.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeTuple, SerializeTupleStruct, Serializer};

use super::unwritable::Unwritable;

type Result<T = ()> = std::result::Result<T, Unwritable>;

pub(super) struct PythonText<'a> {
    text: &'a mut String,
    /// Within a list or a tuple.
    nested: bool,
}

/// A list or a tuple.
pub(super) struct Elements<'a> {
    text: &'a mut String,
    count: usize,
    is_tuple: bool,
}

impl<'a> PythonText<'a> {
    pub(super) fn whole(text: &'a mut String) -> Self {
        Self {
            text,
            nested: false,
        }
    }

    fn bare(self, value: impl Display) -> Result {
        write!(self.text, "{value}").map_err(|error| Unwritable::new(error.to_string()))
    }

    fn string(self, value: &str) {
        if self.nested {
            write_repr(self.text, value);
        } else {
            self.text.push_str(value);
        }
    }

    fn elements(self, is_tuple: bool) -> Elements<'a> {
        self.text.push(if is_tuple { '(' } else { '[' });
        Elements {
            text: self.text,
            count: 0,
            is_tuple,
        }
    }
}

fn refused<T>(what: &str) -> Result<T> {
    Err(Unwritable::new(format!(
        "{what} has no text that Python's `str` would give"
    )))
}

impl Elements<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        if self.count > 0 {
            self.text.push_str(", ");
        }
        self.count += 1;
        value.serialize(PythonText {
            text: self.text,
            nested: true,
        })
    }

    fn close(self) {
        if self.is_tuple && self.count == 1 {
            self.text.push(',');
        }
        self.text.push(if self.is_tuple { ')' } else { ']' });
    }
}

/// The quotes that need no escaping, single ones if there is a choice.
fn quote(has: impl Fn(char) -> bool) -> char {
    if has('\'') && !has('"') { '"' } else { '\'' }
}

fn write_repr(text: &mut String, value: &str) {
    let quote = quote(|c| value.contains(c));
    text.push(quote);
    for c in value.chars() {
        write_escaped(text, c, quote);
    }
    text.push(quote);
}

fn write_escaped(text: &mut String, c: char, quote: char) {
    let code = u32::from(c);
    match c {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\\' => text.push_str("\\\\"),
        _ if c == quote => text.extend(['\\', c]),
        _ if is_printable(c) => text.push(c),
        _ if code < 0x100 => push_code(text, 'x', code, 2),
        _ if code < 0x1_0000 => push_code(text, 'u', code, 4),
        _ => push_code(text, 'U', code, 8),
    }
}

fn push_code(text: &mut String, kind: char, code: u32, digits: usize) {
    text.extend(['\\', kind]);
    text.push_str(format!("{code:0digits$x}").as_str());
}

/// By the same categories of characters as Python, of this compiler's version of Unicode.
fn is_printable(c: char) -> bool {
    // After another character, so that one that combines with it is not escaped for that.
    let mut pair = String::from("a");
    pair.push(c);
    c == '\'' || c == '"' || pair.escape_debug().nth(1) == Some(c)
}

fn write_bytes(text: &mut String, value: &[u8]) {
    let quote = quote(|c| value.iter().any(|byte| char::from(*byte) == c));
    text.push('b');
    text.push(quote);
    for byte in value {
        if byte.is_ascii() {
            write_escaped(text, char::from(*byte), quote);
        } else {
            push_code(text, 'x', u32::from(*byte), 2);
        }
    }
    text.push(quote);
}

/// The shortest digits that give the number again, with an exponent where Python has one. They are those of Rust's
/// `{:e}`: `1.5e-7`.
fn float(shortest: &str) -> String {
    let Some((digits, exponent)) = shortest.split_once('e') else {
        return shortest.to_lowercase();
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return shortest.to_owned();
    };
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    if !(-4..16).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{digits}e{direction}{:02}", exponent.unsigned_abs());
    }
    let all: String = digits.chars().filter(char::is_ascii_digit).collect();
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or_default();
    if exponent < 0 {
        return format!("{sign}0.{}{all}", "0".repeat(places - 1));
    }
    let whole: String = all
        .chars()
        .chain(std::iter::repeat('0'))
        .take(places + 1)
        .collect();
    let rest = all
        .get(places + 1..)
        .filter(|rest| !rest.is_empty())
        .unwrap_or("0");
    format!("{sign}{whole}.{rest}")
}

impl<'a> Serializer for PythonText<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeMap = Impossible<(), Unwritable>;
    type SerializeStruct = Impossible<(), Unwritable>;
    type SerializeStructVariant = Impossible<(), Unwritable>;

    fn serialize_bool(self, value: bool) -> Result {
        self.bare(if value { "True" } else { "False" })
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
        self.bare(float(&format!("{value:e}")))
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.bare(float(&format!("{value:e}")))
    }

    fn serialize_char(self, value: char) -> Result {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        write_bytes(self.text, value);
        Ok(())
    }

    fn serialize_none(self) -> Result {
        self.bare("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.bare("None")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result {
        refused(&format!("the struct `{name}`"))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.string(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result {
        refused(&format!("the enum `{name}`"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>> {
        Ok(self.elements(false))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>> {
        Ok(self.elements(true))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>> {
        Ok(self.elements(true))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        refused(&format!("the enum `{name}`"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        refused("a map")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeStruct> {
        refused(&format!("the struct `{name}`"))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        refused(&format!("the enum `{name}`"))
    }
}

/// The forms of serde that are lists or tuples, and the name of what adds an element.
macro_rules! elements {
    ($($form:ident $add:ident;)*) => {$(
        impl $form for Elements<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.add(value)
            }

            fn end(self) -> Result {
                self.close();
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(value: impl Serialize) -> String {
        let mut text = String::new();
        value.serialize(PythonText::whole(&mut text)).unwrap();
        text
    }

    // What Python 3.11 prints.
    #[test]
    fn numbers_are_those_of_python() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (12_345_678_901_234_567.0, "1.2345678901234568e+16"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e22, "1e+22"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123.456, "123.456"),
        ] {
            assert_eq!(python(value), expected);
        }
        assert_eq!(python(0.1_f32), "0.1");
        assert_eq!(
            python(i128::MIN),
            "-170141183460469231731687303715884105728"
        );
    }

    #[test]
    fn text_in_a_list_is_quoted_as_python_does() {
        for (value, expected) in [
            ("a", "['a']"),
            ("it's", r#"["it's"]"#),
            ("say \"x\"", r#"['say "x"']"#),
            ("both ' and \"", r#"['both \' and "']"#),
            ("a\nb\\", r"['a\nb\\']"),
            ("\0\u{7f}", r"['\x00\x7f']"),
            ("méil", "['méil']"),
            ("e\u{301}", "['e\u{301}']"),
            ("\u{200b}", r"['\u200b']"),
            ("\u{1f600}", "['\u{1f600}']"),
            ("\u{2028}", r"['\u2028']"),
            ("\u{a0}", r"['\xa0']"),
            ("\u{e0001}", r"['\U000e0001']"),
        ] {
            assert_eq!(python(value), value);
            assert_eq!(python([value].as_slice()), expected);
        }
        assert_eq!(python(("a'", 'b')), r#"("a'", 'b')"#);
    }

    #[test]
    fn lists_tuples_and_options_are_those_of_python() {
        assert_eq!(python((1,)), "(1,)");
        assert_eq!(
            python((1, "a", None::<u8>, true, vec![2.5])),
            "(1, 'a', None, True, [2.5])"
        );
        assert_eq!(python(Vec::<u8>::new()), "[]");
        assert_eq!(python(Some("a")), "a");
        assert_eq!(python([Some(1), None].as_slice()), "[1, None]");
        let mut text = String::new();
        write_bytes(&mut text, b"a'\x00\xff\n");
        assert_eq!(text, r#"b"a'\x00\xff\n""#);
    }

    #[test]
    fn what_python_writes_in_its_own_way_is_refused() {
        #[derive(Serialize)]
        struct User {
            id: u64,
        }
        let error = User { id: 1 }
            .serialize(PythonText::whole(&mut String::new()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the struct `User` has no text that Python's `str` would give"
        );
        let map = std::collections::BTreeMap::from([(1, 2)]);
        let error = map
            .serialize(PythonText::whole(&mut String::new()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "a map has no text that Python's `str` would give"
        );
    }
}
