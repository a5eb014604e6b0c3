use std::borrow::Cow;

use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};
use glob::{MatchOptions, Pattern};

/// A pattern of names: `*` and `?` stay within a folder, `**` does not, `[ab]` is one of these.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "String")]
pub struct Glob(Pattern);

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Glob {
    /// Whether `name` is one of those that it means.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches_with(name, OPTIONS)
    }
}

impl TryFrom<String> for Glob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::new(&text).map(Self).map_err(|error| {
            let (message, at) = (error.msg, error.pos);
            format!("\"{text}\" is no glob: {message}, at character {at}")
        })
    }
}

impl JsonSchema for Glob {
    fn schema_name() -> Cow<'static, str> {
        "Glob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
