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

impl Seconds {
    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<Scalar> for Seconds {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let no_time = || {
            format!(
                "{scalar} is no time: write seconds, or such as \"250ms\", \"1.5s\", \"5m\", \"1h\""
            )
        };
        scalar.duration().map(Self).ok_or_else(no_time)
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
