//! The command line.

use std::env;
use std::path::{self, PathBuf};

use clap::{Parser, Subcommand};

use crate::{commands, exec, serve};

/// Looks at the regions of a manifest and changes what is in them, serves a cached site from them, and runs commands once
/// for all who want their output.
///
/// Exit status: 0 done, 1 failed, 2 usage, 3 no such value; `exec` has its own.
#[derive(Debug, Parser)]
#[command(name = "dogpile", version)]
pub(crate) struct Arguments {
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_name = "FILE",
        help = "The manifest [default: $DOGPILE_MANIFEST, else dogpile.toml]"
    )]
    manifest: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(commands::check::Options),
    Plugins(commands::plugins::Options),
    Schema(commands::schema::Options),
    Get(commands::get::Options),
    Set(commands::set::Options),
    Delete(commands::delete::Options),
    Clear(commands::clear::Options),
    Invalidate(commands::invalidate::Options),
    Explain(commands::explain::Options),
    Status(commands::status::Options),
    Reload(commands::reload::Options),
    Exec(exec::Options),
    Conformance(commands::conformance::Options),
    NewPlugin(commands::new_plugin::Options),
    Serve(serve::Options),
    Completions(commands::completions::Options),
    Man(commands::man::Options),
}

/// Where in the list of options stands what all commands have: behind their own.
const LAST: usize = 900;

impl Arguments {
    /// Whether a manifest was named; if not, there need be none.
    pub(crate) fn names_a_manifest(&self) -> bool {
        self.manifest.is_some() || given().is_some()
    }

    /// Its absolute path, by which hosts tell of it too: so that every message names a file in one way.
    pub(crate) fn manifest(&self) -> PathBuf {
        let named = self.manifest.clone().or_else(given);
        let manifest = named.unwrap_or_else(|| "dogpile.toml".into());
        // Without a current folder it cannot be read either, and that is told.
        path::absolute(&manifest).unwrap_or(manifest)
    }
}

fn given() -> Option<PathBuf> {
    let variable = env::var_os("DOGPILE_MANIFEST").filter(|value| !value.is_empty());
    variable.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// As a shell does it, of words and quotes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (None, ' ') => words.push(String::new()),
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                _ => words.last_mut().expect("there is one").push(c),
            }
        }
        words
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        let examples = lines.filter(|line| line.starts_with("dogpile "));
        // Where its output goes is the shell's affair.
        let commands = examples.map(|line| line.split(" > ").next().unwrap_or(line));
        commands.map(str::to_owned).collect()
    }

    #[test]
    fn each_command_has_examples_that_are_understood_and_tells_its_statuses() {
        let whole = Arguments::command();
        for command in whole.get_subcommands() {
            let name = command.get_name();
            let examples = examples(command);
            assert!(!examples.is_empty(), "{name}");
            for example in examples {
                let understood = Arguments::try_parse_from(words(&example));
                assert!(understood.is_ok(), "{example}: {understood:?}");
                assert!(example.split(' ').any(|word| word == name), "{example}");
            }
            let help = command.get_after_help().expect("examples").to_string();
            assert!(help.contains("Exit status: "), "{name}");
        }
    }

    #[test]
    fn the_command_line_is_well_made() {
        Arguments::command().debug_assert();
    }
}
