//! `exec`.

mod around;
mod behind;
mod bytes;
mod cache;
mod ending;
mod fetch;
mod job;
mod key;
mod line;
mod list;
mod name;
mod options;
mod outlet;
mod own;
mod place;
mod printing;
mod pump;
mod purge;
mod record;
mod recorder;
mod running;
mod signals;
#[cfg(test)]
mod threads;
mod time;
mod usage;
mod warn;
mod whole;
mod word;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::{env, io};

use anyhow::{Result, bail};
use rustix::stdio::dup2_stdin;

pub(crate) use self::ending::FAILED;
pub(crate) use self::options::Options;
pub(crate) use self::time::duration;
pub(crate) use self::usage::place_of_exec;

use self::around::Around;
use self::key::Key;
use self::line::Line;
use crate::outcome::Outcome;

/// Switches the cache off, if it is `off`.
const SWITCH: &str = "DOGPILE_EXEC";

/// Ends the process as the command did, but for `--list` and `--purge`.
pub(crate) fn run(manifest: &Path, options: Options) -> Result<Outcome> {
    warn::keep_caught_panics_quiet();
    if options.list {
        return list::run(&options);
    }
    if options.purge {
        return purge::run(&options);
    }
    if options.behind.is_some() {
        behind::detach()?;
    }
    take_stdin()?;
    let line = Line::here(options.command.clone());
    if is_off() {
        ending::uncached(&line);
    }
    let Some(key) = Key::new(&line, &options)? else {
        warn::warn(format_args!(
            "the cache is not used: the current folder is gone"
        ));
        ending::uncached(&line);
    };
    let around = Around::here();
    if around.has(&key) {
        bail!(
            "`{}` asks for its own output, which would never come",
            line.program()
        );
    }
    whole::run(line, key, options, manifest, around)
}

/// Tells why dogpile itself failed.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    warn::warn_of("", error);
    FAILED.into()
}

/// A cached output must not depend on what one of its callers had on the standard input, so there is nothing on it, for us
/// and every command. Later there may be no file descriptor left to open it.
fn take_stdin() -> io::Result<()> {
    let nothing = File::open("/dev/null")?;
    Ok(dup2_stdin(nothing)?)
}

fn is_off() -> bool {
    match env::var(SWITCH) {
        Ok(text) if text == "off" => true,
        Ok(text) if !text.is_empty() && text != "on" => {
            warn::warn(format_args!(
                "{SWITCH} is `{text}`; only `off` and `on` are understood"
            ));
            false
        }
        _ => false,
    }
}
