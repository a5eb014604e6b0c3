use std::fmt;
use std::time::Duration;

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

/// About a hundred years, in seconds, which every clock can add.
const LONGEST: f64 = 3.2e9;

impl Scalar {
    /// The time that it means: a number of seconds, or a text with a unit, such as `"250ms"`, `"1.5s"`, `"5m"`, `"2h"`,
    /// `"1d"`. None if it means none, or more than a hundred years.
    pub fn duration(&self) -> Option<Duration> {
        const UNITS: [(&str, f64); 5] = [
            ("ms", 0.001),
            ("s", 1.0),
            ("m", 60.0),
            ("h", 3600.0),
            ("d", 86400.0),
        ];
        let seconds = match self {
            #[expect(clippy::cast_precision_loss, reason = "so many seconds are refused")]
            Self::Whole(seconds) => *seconds as f64,
            Self::Number(seconds) => *seconds,
            Self::Text(text) => {
                let mut units = UNITS.iter();
                let unit =
                    units.find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
                let (number, factor) = unit.unwrap_or((text, 1.0));
                number.trim().parse::<f64>().ok()? * factor
            }
        };
        let is_one = (0.0..=LONGEST).contains(&seconds);
        is_one.then(|| Duration::from_secs_f64(seconds))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_of_seconds_or_have_a_unit() {
        let text = |text: &str| Scalar::Text(text.to_owned()).duration();
        for (wanted, milliseconds) in [
            ("3", 3000),
            ("0.25", 250),
            ("250ms", 250),
            ("1.5 s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("0", 0),
        ] {
            let expected = Some(Duration::from_millis(milliseconds));
            assert_eq!(text(wanted), expected, "{wanted}");
        }
        for wrong in [
            "",
            "s",
            "-1",
            "-1s",
            "5 minutes",
            "nan",
            "inf",
            "1e300h",
            "never",
        ] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
        assert_eq!(Scalar::Whole(7).duration(), Some(Duration::from_secs(7)));
        assert_eq!(
            Scalar::Number(0.5).duration(),
            Some(Duration::from_millis(500))
        );
        assert_eq!(Scalar::Number(-0.5).duration(), None);
        assert_eq!(Scalar::Whole(u64::MAX).duration(), None);
    }
}
