//! Passwords in arguments.

use std::borrow::Cow;
use std::fmt;

use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", transparent)]
pub struct Secret(String);

impl Secret {
    /// The text, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
