//! `delete`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile delete users user:42 user:43
      Removes two values.

Exit status: 0 none of them is there any more; 1 the backend failed; 2 wrong usage.";

/// Remove values, whether they are there or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// The keys as the program has them, before mangling
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let mut region = Reached::region(manifest, &options.region)?;
    for key in &options.keys {
        region.delete(key)?;
    }
    if options.json {
        output::print_json(&json!({ "region": options.region, "keys": options.keys }))?;
    }
    Ok(Outcome::Done)
}
