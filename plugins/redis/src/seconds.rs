use std::borrow::Cow;
use std::time::Duration;

use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A time as arguments have it: a number of seconds, or a text such as `"250ms"` or `"1.5s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(Duration);

/// About a hundred years, which every server can add to its clock.
const MOST: f64 = 3.2e9;

impl Seconds {
    pub(crate) const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    pub(crate) fn duration(self) -> Duration {
        self.0
    }

    fn new(seconds: f64) -> Result<Self, String> {
        if (0.0..=MOST).contains(&seconds) {
            return Ok(Self(Duration::from_secs_f64(seconds)));
        }
        Err(format!(
            "{seconds} is no number of seconds from 0 to {MOST}"
        ))
    }

    fn parse(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, f64); 4] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let unit = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
        let (number, factor) = unit.unwrap_or((text, 1.0));
        let number: f64 = number.trim().parse().map_err(|_| {
            format!("\"{text}\" is no time: write seconds, or such as \"250ms\", \"1.5s\", \"5m\", \"1h\"")
        })?;
        Self::new(number * factor)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Seconds;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number of seconds, or a text such as \"250ms\"")
    }

    #[expect(clippy::cast_precision_loss, reason = "so many seconds are refused")]
    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Seconds, E> {
        Seconds::new(seconds as f64).map_err(E::custom)
    }

    #[expect(clippy::cast_precision_loss, reason = "a negative number is refused")]
    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Seconds, E> {
        Seconds::new(seconds as f64).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Seconds, E> {
        Seconds::new(seconds).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Seconds, E> {
        Seconds::parse(text).map_err(E::custom)
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_of_seconds_or_have_a_unit() {
        for (text, milliseconds) in [
            ("3", 3000),
            ("0.25", 250),
            ("250ms", 250),
            ("1.5 s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0", 0),
        ] {
            assert_eq!(
                Seconds::parse(text),
                Ok(Seconds::from_millis(milliseconds)),
                "{text}"
            );
        }
        for wrong in ["", "s", "-1", "-1s", "5 minutes", "nan", "inf", "1e300h"] {
            assert!(Seconds::parse(wrong).is_err(), "{wrong}");
        }
    }
}
