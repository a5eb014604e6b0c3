//! Times in arguments.

use std::borrow::Cow;
use std::time::Duration;

use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{JsonSchema, Scalar};

/// A time as arguments have it: a number of seconds, or a text such as `"250ms"` or `"1.5s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub struct Seconds(Duration);

/// About a hundred years, which every server can add to its clock.
const MOST: f64 = 3.2e9;

impl Seconds {
    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
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

impl TryFrom<Scalar> for Seconds {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            #[expect(clippy::cast_precision_loss, reason = "so many seconds are refused")]
            Scalar::Whole(seconds) => Self::new(seconds as f64),
            Scalar::Number(seconds) => Self::new(seconds),
            Scalar::Text(text) => Self::parse(&text),
        }
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
