//! The `dogpile` command.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod exec;
mod logging;
mod lost;
mod outcome;
mod output;
mod probe;
mod progress;
mod quoted;
mod running;
mod schema;
mod serve;
mod table;
mod wrong_usage;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::{env, io};

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::outcome::Outcome;

/// The status of a command line that is not understood.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(probe) = probe::Arguments::ours() {
        return ended(probe::child::run(&probe.manifest, &probe.what));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_a_command(&wrong_usage::escaped(error)),
    };
    let manifest = arguments.manifest();
    let result = match &arguments.command {
        Command::Exec(options) => {
            let ran = exec::run(&manifest, options.clone());
            return ran.map_or_else(|error| exec::failed(&error), ExitCode::from);
        }
        Command::Check(options) => commands::check::run(&manifest, options),
        Command::Plugins(options) => commands::plugins::run(&manifest, options),
        Command::Schema(options) => {
            commands::schema::run(&manifest, arguments.names_a_manifest(), options)
        }
        Command::Get(options) => commands::get::run(&manifest, options),
        Command::Set(options) => commands::set::run(&manifest, options),
        Command::Delete(options) => commands::delete::run(&manifest, options),
        Command::Clear(options) => commands::clear::run(&manifest, options),
        Command::Invalidate(options) => commands::invalidate::run(&manifest, options),
        Command::Explain(options) => commands::explain::run(&manifest, options),
        Command::Status(options) => commands::status::run(&manifest, options),
        Command::Reload(options) => commands::reload::run(&manifest, options),
        Command::Conformance(options) => commands::conformance::run(options),
        Command::NewPlugin(options) => commands::new_plugin::run(options),
        Command::Serve(options) => serve::run(&manifest, options),
        Command::Completions(options) => commands::completions::run(options),
        Command::Man(options) => commands::man::run(options),
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

/// Help and version, which are asked for, and wrong usage. `exec` leaves the status of that to the commands that it runs.
fn not_a_command(what: &clap::Error) -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let is_exec = exec::place_of_exec(&arguments).is_some();
    if !what.use_stderr() {
        let printed = output::print(rendered(what, &io::stdout()));
        return match printed {
            Err(error) if is_exec => exec::failed(&error),
            printed => ended(printed.map(|()| Outcome::Done)),
        };
    }
    // When the standard error is closed there is nobody to tell.
    let _closed = write!(io::stderr().lock(), "{}", rendered(what, &io::stderr()));
    if is_exec {
        exec::FAILED.into()
    } else {
        WRONG_USAGE.into()
    }
}

fn rendered(what: &clap::Error, to: &impl IsTerminal) -> String {
    let text = what.render();
    if output::is_coloured(to) {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}
