//! What is said beside the command's own output.

use std::{fmt, panic, thread};

use crate::output;

/// Those on which a cache is used.
pub(super) const WORKER: &str = "dogpile-exec";
const OPENER: &str = "dogpile-open";

/// A line.
pub(super) fn warn(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    output::say(format_args!("dogpile: {}", output::in_a_line(&text)));
}

/// What failed, and why: a line, but for errors of a manifest.
pub(super) fn warn_of(what: &str, error: &anyhow::Error) {
    output::say(format_args!("dogpile: {what}{}", output::for_people(error)));
}

/// What is in a damaged file can make its reader panic, which ends in a new file or in a warning. More is not to be said
/// among what a command prints.
pub(super) fn keep_caught_panics_quiet() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !matches!(thread::current().name(), Some(WORKER | OPENER)) {
            told(info);
        }
    }));
}
