use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{HostContext, JsonSchema, KeyMangler, Result};

use crate::sha1;

/// The key mangler `length`.
#[derive(Debug)]
pub struct Length {
    arguments: LengthArguments,
}

/// The arguments of `length`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct LengthArguments {
    /// Keys of this many characters or more are mangled.
    pub max: u32,
    /// By what. Default: `"sha1"`.
    pub then: Then,
}

impl Default for LengthArguments {
    fn default() -> Self {
        Self {
            max: 250,
            then: Then::Sha1,
        }
    }
}

/// The mangler for keys that are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Then {
    /// As the mangler `sha1`.
    Sha1,
}

impl KeyMangler for Length {
    type Arguments = LengthArguments;

    fn open(arguments: LengthArguments, _: &HostContext) -> Result<Self> {
        Ok(Self { arguments })
    }

    fn mangle(&self, key: &str) -> Result<String> {
        let max = self.arguments.max as usize;
        // A key has no more characters than bytes.
        if key.len() < max || key.chars().count() < max {
            return Ok(key.to_owned());
        }
        Ok(match self.arguments.then {
            Then::Sha1 => sha1::hex(key),
        })
    }
}
