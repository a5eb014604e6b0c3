//! `man`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  dogpile man > dogpile.1
      Of the command as a whole; `man ./dogpile.1` shows it.
  dogpile man --dir ~/.local/share/man/man1
      dogpile.1, and a page for each command, such as dogpile-exec.1.

Exit status: 0 written; 1 not; 2 wrong usage.";

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Write it into this folder, which is made if it is not there, with a page for each command
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let command = Arguments::command().disable_help_subcommand(true);
    if let Some(dir) = &options.dir {
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        clap_mangen::generate_to(command, dir)
            .with_context(|| format!("{} cannot be written to", dir.display()))?;
        return Ok(Outcome::Done);
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    output::print(page)?;
    Ok(Outcome::Done)
}
