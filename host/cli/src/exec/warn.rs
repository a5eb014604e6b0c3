//! What is said beside the command's own output.

use std::fmt;

use crate::output;

pub(super) fn warn(text: fmt::Arguments<'_>) {
    output::say(format_args!("dogpile: {text}"));
}
