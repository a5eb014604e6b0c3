use std::borrow::Cow;
use std::num::NonZeroU64;

use dogpile_plugin_api::schemars::{self, Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{JsonSchema, Scalar, Storage};

/// The arguments of the backend `memory`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct MemoryArguments {
    /// How many entries at most; `"unbounded"` for any number. Default: 10,000.
    pub max_entries: MaxEntries,
    /// How much the entries weigh at most: bytes, or a string such as `"64MiB"`. Default: any.
    pub max_bytes: Option<ByteSize>,
    /// An entry that nobody asked for in this time is gone: seconds, or a string such as `"5m"`. Default: none
    /// goes for that.
    pub time_to_idle: Option<TimeToIdle>,
    /// `"objects"` keeps the host's objects by reference, `"bytes"` the serialised values. Default:
    /// `"objects"`.
    pub storage: Kept,
}

/// How many entries at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub enum MaxEntries {
    /// That many.
    Number(NonZeroU64),
    /// Any number.
    Unbounded,
}

impl Default for MaxEntries {
    fn default() -> Self {
        Self::Number(const { NonZeroU64::new(10_000).unwrap() })
    }
}

impl TryFrom<Scalar> for MaxEntries {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match &scalar {
            Scalar::Whole(number) => NonZeroU64::new(*number).map(Self::Number),
            Scalar::Text(text) if text == "unbounded" => Some(Self::Unbounded),
            _ => None,
        }
        .ok_or_else(|| {
            format!("{scalar} is no number of entries: write an integer above 0, or \"unbounded\"")
        })
    }
}

impl JsonSchema for MaxEntries {
    fn schema_name() -> Cow<'static, str> {
        "MaxEntries".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "unbounded" }] })
    }
}

/// A number of bytes above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub struct ByteSize(pub NonZeroU64);

impl TryFrom<Scalar> for ByteSize {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let bytes = scalar.bytes().and_then(NonZeroU64::new);
        bytes.map(Self)
        .ok_or_else(|| {
            format!("{scalar} is no size: write bytes above 0, or a string such as \"64MiB\" (B, KiB, MiB, GiB or TiB)")
        })
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^[0-9]+ *([KMGT]i)?B$" },
        ] })
    }
}

/// A time in whole seconds, from one second to four years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub struct TimeToIdle {
    seconds: u32,
}

const YEAR: u32 = 365 * 24 * 3600;

impl TimeToIdle {
    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

impl TryFrom<Scalar> for TimeToIdle {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match &scalar {
            Scalar::Whole(number) => Some(*number),
            Scalar::Number(_) => None,
            Scalar::Text(text) => parse_seconds(text),
        }
        .and_then(|seconds| u32::try_from(seconds).ok())
        .filter(|seconds| (1..=4 * YEAR).contains(seconds))
        .map(|seconds| Self { seconds })
        .ok_or_else(|| {
            format!(
                "{scalar} is no time of whole seconds from 1 s to 4 years: write seconds, or a string such as \
                 \"5m\" or \"1h30m\" (s, m, h, d or w); leave it out for no limit"
            )
        })
    }
}

/// Numbers with units, the larger unit first, each once: `1h30m`.
fn parse_seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut larger = u64::MAX;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let mut letters = after.chars();
        let unit = match letters.next()? {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        if unit >= larger {
            return None;
        }
        larger = unit;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = letters.as_str().trim_start();
    }
    Some(total)
}

impl JsonSchema for TimeToIdle {
    fn schema_name() -> Cow<'static, str> {
        "TimeToIdle".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }] })
    }
}

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Kept {
    /// The host's objects, by reference.
    #[default]
    Objects,
    /// Serialised values.
    Bytes,
}

impl From<Kept> for Storage {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Objects => Self::Objects,
            Kept::Bytes => Self::Bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<u64> {
        ByteSize::try_from(Scalar::Text(text.into()))
            .ok()
            .map(|size| size.0.get())
    }

    fn seconds(text: &str) -> Option<u32> {
        TimeToIdle::try_from(Scalar::Text(text.into()))
            .ok()
            .map(TimeToIdle::seconds)
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("1 GiB"), Some(1 << 30));
        assert_eq!(bytes("7B"), Some(7));
        for wrong in ["", "7", "MiB", "1MB", "-1B", "0B", "1.5KiB", "99999999TiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_have_units_from_large_to_small() {
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("1w 1d"), Some(691_200));
        for wrong in [
            "", "5", "m", "5x", "5m1h", "5m5m", "0s", "5y", "9999w", "5ms", "-5s",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
