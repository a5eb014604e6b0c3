//! `reload`.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::outcome::Outcome;
use crate::{output, running};

/// Let the running host read its manifest again, and tell the outcome
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only tell what would change: new backends are opened aside and closed again, nothing is swapped
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let mut host = running::host(manifest)?;
    let reload = if options.dry_run {
        host.plan()?
    } else {
        host.reload()?
    };
    if options.json {
        output::print_json(&reload)?;
    } else {
        for warning in &reload.warnings {
            output::say(format_args!("{warning}\n"));
        }
        output::print(format!("{reload}\n"))?;
    }
    Ok(Outcome::Done)
}
