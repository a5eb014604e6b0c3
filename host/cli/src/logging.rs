//! Log records on the standard error.

use std::{env, io};

use anyhow::{Context, Result};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::output;

/// What is logged if nothing is asked for. The watcher of files complains of every folder that goes, which the host
/// looks after by itself.
const DEFAULT: &str = "info,notify=error";

/// Begins to log what `RUST_LOG` asks for: a level, or `target=level` several times with commas. Default: `info`, but
/// errors alone of the crate `notify`.
pub(crate) fn start() -> Result<()> {
    let wanted = match env::var("RUST_LOG") {
        Ok(wanted) if !wanted.is_empty() => wanted,
        _ => DEFAULT.to_owned(),
    };
    let targets: Targets = wanted.parse().with_context(|| {
        format!("RUST_LOG={wanted} is not understood; use `debug` or `info,dogpile.reload=debug`")
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(output::is_coloured(&io::stderr()));
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .try_init()
        .context("logging cannot be started")
}
