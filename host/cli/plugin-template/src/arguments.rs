use std::num::NonZeroUsize;

use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{JsonSchema, schemars};

/// What a manifest may say under `[regions.NAME.arguments]`. Unknown names are refused before the backend is opened; the
/// comments here are what `dogpile schema` and editors show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "serde", default)]
#[schemars(crate = "schemars")]
pub struct Arguments {
    /// How many entries are kept at most: for a new one, another goes.
    pub max_entries: NonZeroUsize,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            max_entries: NonZeroUsize::new(10_000).expect("it is not zero"),
        }
    }
}
