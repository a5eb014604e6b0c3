//! `reload`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::{output, running};

const EXAMPLES: &str = "\
Examples:
  dogpile reload
      Waits, and tells what became of each region.
  dogpile reload --dry-run
      What a reload would change, keep and lose.
  dogpile reload --dry-run next.toml
      The same, if next.toml were saved in the place of the manifest.

A host follows its manifest by itself; this is to wait for the outcome, as long as the host is at it. One that is stopped or \
hangs is given up after 20 seconds.

Exit status: 0 applied, or nothing to change; 1 refused, with what is wrong, or no host answers; 2 wrong usage.";

/// Let the running host read its manifest again, and tell the outcome
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Only tell what would change: new backends are opened aside and closed again, nothing is swapped
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: what would change if this file were saved in the manifest's place. It should lie beside it, since
    /// relative paths begin at its folder
    #[arg(value_name = "FILE", requires = "dry_run")]
    candidate: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let mut host = running::host(manifest)?;
    let progress = Progress::start();
    progress.tell("waiting for the running host".to_owned());
    let reload = match &options.candidate {
        Some(candidate) => host.plan_of(candidate)?,
        None if options.dry_run => host.plan()?,
        None => host.reload()?,
    };
    drop(progress);
    if options.json {
        output::print_json(&reload)?;
    } else {
        for warning in &reload.warnings {
            output::say(format_args!("{warning}\n"));
        }
        output::print_text(&format!("{reload}\n"))?;
    }
    Ok(Outcome::Done)
}
