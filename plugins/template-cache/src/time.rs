use std::borrow::Cow;

use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{Expiration, JsonSchema, Scalar};

/// When something expires: seconds, a text such as `"5m"`, or `"never"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub struct Time(Expiration);

impl Time {
    pub(crate) fn expiration(self) -> Expiration {
        self.0
    }
}

impl TryFrom<Scalar> for Time {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        if scalar == Scalar::Text("never".to_owned()) {
            return Ok(Self(Expiration::Never));
        }
        let no_time = || {
            format!(
                "{scalar} is no time: write seconds, or such as \"90s\", \"5m\", \"2h\", \"never\""
            )
        };
        let time = scalar.duration().ok_or_else(no_time)?;
        Ok(Self(Expiration::After(time)))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }] })
    }
}
