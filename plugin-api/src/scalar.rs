use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number or a string, as arguments that may be either are written. For types of arguments that are made of one by
/// `#[serde(try_from = "Scalar")]`.
///
/// ```
/// use dogpile_plugin_api::{Deserialize, Scalar, serde};
///
/// #[derive(Debug, Deserialize)]
/// #[serde(crate = "serde", try_from = "Scalar")]
/// struct Room(u64);
///
/// impl TryFrom<Scalar> for Room {
///     type Error = String;
///
///     fn try_from(scalar: Scalar) -> Result<Self, String> {
///         let no_size = format!("{scalar} is no size: write bytes, or a string such as \"64MiB\"");
///         scalar.bytes().map(Self).ok_or(no_size)
///     }
/// }
///
/// let room: Room = serde_json::from_str(r#""64MiB""#)?;
/// assert_eq!(room.0, 64 << 20);
/// let error = serde_json::from_str::<Room>("-1").unwrap_err();
/// assert!(error.to_string().starts_with("-1 is no size"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are no other numbers and strings"
)]
pub enum Scalar {
    /// A whole number that is not negative.
    Whole(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(String),
}

impl Scalar {
    /// The number of bytes that it means: a whole number, or one with a unit, such as `"64MiB"`, which is `B`, `KiB`,
    /// `MiB`, `GiB` or `TiB`. None if it means none, or more than a `u64` holds.
    pub fn bytes(&self) -> Option<u64> {
        let text = match self {
            Self::Whole(number) => return Some(*number),
            Self::Number(_) => return None,
            Self::Text(text) => text,
        };
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start() {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(1 << shift)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a negative number is refused, whichever it is"
    )]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(u64::try_from(number).map_or(Scalar::Number(number as f64), Scalar::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }
}
