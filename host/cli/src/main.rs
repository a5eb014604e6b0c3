//! The `dogpile` command.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod logging;
mod outcome;
mod output;
mod probe;
mod running;
mod schema;
mod serve;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::outcome::Outcome;

fn main() -> ExitCode {
    if let Some(probe) = probe::Arguments::ours() {
        return ended(probe::child::run(&probe.manifest, &probe.what));
    }
    let arguments = Arguments::parse();
    let manifest = arguments.manifest();
    let result = match &arguments.command {
        Command::Check(options) => commands::check::run(&manifest, options),
        Command::Plugins(options) => commands::plugins::run(&manifest, options),
        Command::Get(options) => commands::get::run(&manifest, options),
        Command::Set(options) => commands::set::run(&manifest, options),
        Command::Delete(options) => commands::delete::run(&manifest, options),
        Command::Status(options) => commands::status::run(&manifest, options),
        Command::Reload(options) => commands::reload::run(&manifest, options),
        Command::Serve(options) => serve::run(&manifest, options),
    };
    ended(result)
}

fn ended(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output::error(&error);
            Outcome::Failed.into()
        }
    }
}
