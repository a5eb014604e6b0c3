//! `clear`.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::outcome::Outcome;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile clear pages
      Empties the backend of the region `pages`, where the backend can do that.

Exit status: 0 it is empty; 1 the backend cannot, or fails; 2 wrong usage. What only outdates the values, and lets old \
ones be served meanwhile, is `dogpile invalidate --soft`.";

/// Remove everything that a region's backend holds
///
/// Where several regions use one storage, each backend's documentation says what goes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    Reached::region(manifest, &options.region)?.clear()?;
    Ok(Outcome::Done)
}
