//! Telling `exec` from other commands where the command line is not understood.

use std::ffi::OsString;

/// Where in the arguments the word `exec` is, if it is the command.
pub(crate) fn place_of_exec(arguments: &[OsString]) -> Option<usize> {
    let mut is_value = false;
    for (at, argument) in arguments.iter().enumerate() {
        match argument.to_str() {
            _ if is_value => is_value = false,
            Some("--manifest") => is_value = true,
            Some(option) if option.starts_with('-') => {}
            word => return (word == Some("exec")).then_some(at),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_first_word_that_is_no_option() {
        for (line, place) in [
            ("exec -- true", Some(0)),
            ("--manifest exec exec x", Some(2)),
            ("--manifest=exec exec", Some(1)),
            ("--manifest exec", None),
            ("get exec exec", None),
            ("", None),
        ] {
            let arguments: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(place_of_exec(&arguments), place, "{line}");
        }
    }
}
