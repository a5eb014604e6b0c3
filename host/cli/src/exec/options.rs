//! The command line of `exec`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use dogpile::{Expiration, MaxStale};

use super::{name, time};

const EXAMPLES: &str = "\
Examples:
  dogpile exec -- ./report.sh --month 11
      Once a minute at most, however many ask.
  dogpile exec --expiration-time 10m --max-stale 1h -- ./report.sh
      For up to 1h past the 10m it prints the old output at once, and one run goes on behind.
  dogpile exec --expiration-time 1d --file Cargo.lock --env TARGET -- ./audit.sh
      Another run for other contents of the file, or another value of the variable.
  dogpile exec --key weather --stale-if-error 1d -- curl -sf https://wttr.in
      One entry whatever the folder and the arguments; an old answer while the site is down.
  dogpile exec reports -- ./report.sh
      In the region `reports` of the manifest.

The command finds its standard input empty, and its outputs to be no terminal. What it prints is kept in $XDG_CACHE_HOME/dogpile (default ~/.cache/dogpile), \
unless it is more than 32 MiB. DOGPILE_EXEC=off runs commands without the cache.

Exit status: the command's, also when it was run for somebody else; if a signal ended it, dogpile ends by the same. 125 \
if dogpile fails itself: wrong usage, or a command that cannot be started.";

/// Run a command once for all who want its output
///
/// Whoever asks for the same command in the same folder gets the output and the exit status of one run, from the cache or
/// by waiting for a run that is under way. A run that fails is shared with those who waited for it, and not kept.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Options {
    /// A region of the manifest that processes share [default: one of your own, which needs no manifest]
    #[arg(conflicts_with_all = ["list", "purge"])]
    pub(super) region: Option<String>,
    /// Another name for the entry than command, arguments and folder
    #[arg(long, value_name = "K", value_parser = OsStringValueParser::new().try_map(name::entry))]
    pub(super) key: Option<OsString>,
    /// How long an output is fresh, such as 90s or 1h, or `never` [default: 1m; of a REGION: its own]
    #[arg(long, value_name = "D", value_parser = time::expiration)]
    pub(super) expiration_time: Option<Expiration>,
    /// How long past that it is printed at once, with a new run behind [default: as long as it is fresh; of a REGION: its
    /// own]
    #[arg(long, value_name = "D", value_parser = time::max_stale)]
    pub(super) max_stale: Option<MaxStale>,
    /// How long past that it is printed if a new run fails, whose output is held back until then [default: not; of a REGION:
    /// its own]
    #[arg(long, value_name = "D", value_parser = time::duration)]
    pub(super) stale_if_error: Option<Duration>,
    /// Run it now, whatever is there
    #[arg(long)]
    pub(super) refresh: bool,
    /// How long to wait for somebody else's run; then run it without the cache [default: to its end; in a run
    /// of `dogpile exec`: 30s]
    #[arg(long, value_name = "D", value_parser = time::duration)]
    pub(super) timeout: Option<Duration>,
    /// A variable of the environment on which the output depends; several times for several
    #[arg(long, value_name = "N", value_parser = OsStringValueParser::new().try_map(name::variable))]
    pub(super) env: Vec<OsString>,
    /// A regular file on whose content the output depends; several times for several
    #[arg(long, value_name = "F")]
    pub(super) file: Vec<PathBuf>,
    /// Keep the output of a run that fails too
    #[arg(long)]
    pub(super) cache_failures: bool,
    /// Show what your own region holds, the newest first
    #[arg(long)]
    pub(super) list: bool,
    /// With --list: print JSON
    #[arg(long, conflicts_with_all = ["region", "command", "purge"])]
    pub(super) json: bool,
    /// Forget everything in your own region
    #[arg(long, conflicts_with = "list")]
    pub(super) purge: bool,
    /// We are the run behind, and print nothing. For a call that came at that time, in nanoseconds since 1970: what was made
    /// since is new enough.
    #[arg(long, hide = true, value_name = "TIME")]
    pub(super) behind: Option<u64>,
    /// The command with its arguments
    #[arg(
        last = true,
        value_name = "CMD",
        required_unless_present_any = ["list", "purge"],
        conflicts_with_all = ["list", "purge"]
    )]
    pub(super) command: Vec<OsString>,
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::Options;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        options: Options,
    }

    /// What these arguments of `exec` say.
    pub(in crate::exec) fn options(arguments: &[&str]) -> Options {
        Whole::parse_from(["exec"].iter().chain(arguments)).options
    }
}
