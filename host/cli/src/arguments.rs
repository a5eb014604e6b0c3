//! The command line.

use std::env;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{commands, exec, serve};

/// Looks at the regions of a manifest, serves a cached site from them, and runs commands once for all who want their output.
///
/// Exit status: 0 done, 1 failed, 2 usage, 3 no such value; `exec` has its own.
#[derive(Debug, Parser)]
#[command(name = "dogpile", version)]
pub(crate) struct Arguments {
    #[arg(
        long,
        global = true,
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
    Get(commands::get::Options),
    Set(commands::set::Options),
    Delete(commands::delete::Options),
    Clear(commands::clear::Options),
    Invalidate(commands::invalidate::Options),
    Explain(commands::explain::Options),
    Status(commands::status::Options),
    Reload(commands::reload::Options),
    Exec(exec::Options),
    Serve(serve::Options),
}

impl Arguments {
    pub(crate) fn manifest(&self) -> PathBuf {
        let given = || env::var_os("DOGPILE_MANIFEST").filter(|value| !value.is_empty());
        self.manifest
            .clone()
            .or_else(|| given().map(PathBuf::from))
            .unwrap_or_else(|| "dogpile.toml".into())
    }
}
