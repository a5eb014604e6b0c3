//! `set`.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile set users user:42 '{\"name\": \"Ada\"}'
      Stores JSON.
  dogpile set pages /index -
      Stores what the standard input has.

Exit status: 0 stored; 1 not, such as what the region's serializer cannot read; 2 wrong usage.";

/// Store a payload, as created now
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// The key as the program has it, before mangling
    key: String,
    /// The payload, as the region's serializer writes it: JSON, if the region names none; `-` reads the standard input
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let mut payload = Vec::new();
    if options.value == "-" {
        io::stdin()
            .read_to_end(&mut payload)
            .context("the standard input cannot be read")?;
    } else {
        payload.extend_from_slice(options.value.as_bytes());
    }
    Reached::region(manifest, &options.region)?.set(&options.key, &payload)?;
    if options.json {
        output::print_json(&json!({
            "region": options.region,
            "key": options.key,
            "size": payload.len(),
        }))?;
    }
    Ok(Outcome::Done)
}
