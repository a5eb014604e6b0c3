//! `clear`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile clear pages
      Empties the backend of the region `pages`, where the backend can do that.

What only outdates the values, and lets old ones be served meanwhile, is `dogpile invalidate --soft`.

Exit status: 0 it is empty; 1 the backend cannot, or fails; 2 wrong usage.";

/// Remove everything that a region's backend holds
///
/// Where several regions use one storage, each backend's documentation says what goes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    Reached::region(manifest, &options.region)?.clear()?;
    if options.json {
        output::print_json(&json!({ "region": options.region }))?;
    }
    Ok(Outcome::Done)
}
