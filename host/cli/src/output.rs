//! What is printed.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::{env, fmt};

use anyhow::{Context, Result};
use dogpile::ErrorKind;
use dogpile::manifest::ManifestErrors;
use dogpile_templates::ViewError;
use serde::Serialize;

use crate::probe::Refusal;

/// Writes to the standard output, as it is. Whoever reads it may have had enough: that is no error.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes.as_ref()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the standard output cannot be written to"),
    }
}

/// Writes text for people, in which there may be what others wrote: keys, tags, what a plugin says.
pub(crate) fn print_text(text: &str) -> Result<()> {
    print(&*harmless(text))
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(text)
}

/// With what a terminal would obey escaped, but for the ends of lines.
fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// What others wrote, such as a name, with all its control characters escaped: a line stays one.
pub(crate) fn in_a_line(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

fn escaped(text: &str, is_obeyed: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_obeyed(c) {
            escaped.extend(c.escape_debug());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Says why a command failed. What is wrong with a manifest comes as the library prints it: with the place, the line
/// and a caret.
pub(crate) fn error(error: &anyhow::Error) {
    if is_about_manifest(error) {
        say(format_args!("{error}"));
    } else if is_coloured(&io::stderr()) {
        let text = for_people(error);
        let _closed = writeln!(
            io::stderr().lock(),
            "\x1b[1;31merror:\x1b[0m {}",
            harmless(&text)
        );
    } else {
        say(format_args!("error: {}", for_people(error)));
    }
}

fn is_about_manifest(error: &anyhow::Error) -> bool {
    error.is::<ManifestErrors>()
        || error.is::<Refusal>()
        || error
            .downcast_ref::<dogpile::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::Configuration)
}

/// The whole of an error as text for people: a line, but for what the libraries print in several, with a place and a caret.
pub(crate) fn for_people(error: &anyhow::Error) -> String {
    let text = whole(error);
    if is_about_manifest(error) || error.is::<ViewError>() {
        text
    } else {
        in_a_line(&text).into_owned()
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

/// Writes a line to the standard error, as [`print_text`] does; when that is closed there is nobody to tell.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let _closed = writeln!(io::stderr().lock(), "{}", harmless(&text));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_lines_stay_lines() {
        for plain in ["", "a\n\tb\n", "é ☃"] {
            assert!(matches!(harmless(plain), Cow::Borrowed(text) if text == plain));
        }
        assert_eq!(
            harmless("é\u{1b}[2J\u{9b}\r\u{7f}\n"),
            "é\\u{1b}[2J\\u{9b}\\r\\u{7f}\n"
        );
        assert_eq!(in_a_line("a\n\t\u{1b}"), "a\\n\\t\\u{1b}");
    }
}
