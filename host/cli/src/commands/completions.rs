//! `completions`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  dogpile completions bash > ~/.local/share/bash-completion/completions/dogpile
  dogpile completions zsh > ~/.zfunc/_dogpile
      With `fpath+=~/.zfunc` before compinit in ~/.zshrc.
  dogpile completions fish > ~/.config/fish/completions/dogpile.fish

Exit status: 0 printed; 1 not; 2 wrong usage.";

/// Print what a shell needs to complete this command's words
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(options.shell, &mut command, "dogpile", &mut script);
    output::print(script)?;
    Ok(Outcome::Done)
}
