//! Names on the command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// Of an entry. An empty one is what a script makes of a variable that is not set, and would give one command the output
/// of another.
pub(super) fn entry(name: OsString) -> Result<OsString, &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    Ok(name)
}

/// Of a variable of the environment: one that can be there.
pub(super) fn variable(name: OsString) -> Result<OsString, &'static str> {
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        return Err("write the name of a variable, without its value");
    }
    Ok(name)
}
