//! What is printed.

use std::io::{self, IsTerminal, Write};
use std::{env, fmt};

use dogpile::ErrorKind;
use dogpile::manifest::ManifestErrors;
use serde::Serialize;

use crate::probe::Refusal;

/// Writes to the standard output. Whoever reads it may have had enough: that is no error.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes.as_ref()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(print(text)?)
}

/// Says why a command failed. What is wrong with a manifest comes as the library prints it: with the place, the line
/// and a caret.
pub(crate) fn error(error: &anyhow::Error) {
    let about_manifest = error.is::<ManifestErrors>()
        || error.is::<Refusal>()
        || error
            .downcast_ref::<dogpile::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::Configuration);
    if about_manifest {
        say(format_args!("{error}"));
    } else if is_coloured(&io::stderr()) {
        say(format_args!("\x1b[1;31merror:\x1b[0m {}", whole(error)));
    } else {
        say(format_args!("error: {}", whole(error)));
    }
}

/// The error with its causes, but for those that it tells already.
pub(crate) fn whole(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Writes a line to the standard error; when that is closed there is nobody to tell.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut stderr = io::stderr().lock();
    let _closed = writeln!(stderr, "{text}");
}

/// Whether colours may be used: on a terminal, unless `NO_COLOR` is set to anything.
pub(crate) fn is_coloured(to: &impl IsTerminal) -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    to.is_terminal() && !refused
}

/// `1 region`, `2 regions`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
