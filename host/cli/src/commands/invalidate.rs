//! `invalidate`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use dogpile::Invalidation;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile invalidate users
      Callers wait for new values from now on.
  dogpile invalidate users --soft
      Callers get the old values while new ones are created; the region needs an expiration_time.
  dogpile invalidate users --tag team:1 --tag admins
      Only values that were stored with one of these tags.

Nothing is removed: a value is compared with the time of the invalidation when it is read. Other processes see it within \
the region's invalidation_interval, where its invalidation is \"shared\".

Exit status: 0 invalidated; 1 not, or not known to the other processes; 2 wrong usage.";

/// Outdate the values of a region that are there now
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// Serve the old values while new ones are created
    #[arg(long)]
    soft: bool,
    /// Only values with this tag; several times for several
    #[arg(long = "tag", value_name = "T", value_parser = NonEmptyStringValueParser::new())]
    tags: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let how = if options.soft {
        Invalidation::Soft
    } else {
        Invalidation::Hard
    };
    Reached::region(manifest, &options.region)?.invalidate(how, &options.tags)?;
    if options.json {
        output::print_json(&json!({
            "region": options.region,
            "how": if options.soft { "soft" } else { "hard" },
            "tags": options.tags,
        }))?;
    }
    Ok(Outcome::Done)
}
