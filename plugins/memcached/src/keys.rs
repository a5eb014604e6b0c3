//! Keys and names that memcached can hold. Nothing else is sent to a server: it would be taken for commands.

use std::fmt;

use dogpile_plugin_api::{Error, ErrorKind, Result};

/// In bytes.
const LONGEST: usize = 250;

/// What the name of a lock begins with, as dogpile.cache's.
const LOCK: &str = "_lock";

/// Refuses what is no key of memcached's.
pub(crate) fn check(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(refused("the key is empty", ""));
    }
    if key.len() > LONGEST {
        return Err(refused(
            format_args!("the key \"{}…\" has {} bytes", shown(key), key.len()),
            ", and memcached takes no more than 250",
        ));
    }
    let forbidden = key.bytes().find(|byte| *byte <= b' ' || *byte == 0x7f);
    match forbidden {
        Some(byte) => Err(refused(
            format_args!(
                "the key {:?} has a {}",
                key,
                if byte == b' ' {
                    "space"
                } else {
                    "control character"
                }
            ),
            ", and memcached takes none",
        )),
        None => Ok(()),
    }
}

/// The name of the lock of `key`.
pub(crate) fn lock(key: &str) -> Result<String> {
    check(key)?;
    let name = format!("{LOCK}{key}");
    if name.len() > LONGEST {
        return Err(refused(
            format_args!("the key \"{}…\" has {} bytes", shown(key), key.len()),
            format_args!(
                ", and the name of its lock must not have more than 250: no more than {}, or \
                 `distributed_lock = false`",
                LONGEST - LOCK.len()
            ),
        ));
    }
    Ok(name)
}

fn refused(what: impl fmt::Display, limit: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Refused,
        format_args!(
            "{what}{limit}: give the region `key_mangler = [\"sha1\"]`, and Python's the same"
        ),
    )
}

/// The first characters.
fn shown(key: &str) -> String {
    key.chars().take(40).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_be_taken_for_commands_are_refused_with_what_mangles_them() {
        let long = "k".repeat(251);
        for wrong in [
            "",
            " ",
            "a b",
            "a\r\nflush_all",
            "a\n",
            "a\0",
            "a\tb",
            "a\u{7f}",
            "\u{1}",
            &long,
        ] {
            let error = check(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{wrong:?}");
            assert!(
                error.message().contains("key_mangler = [\"sha1\"]"),
                "{error}"
            );
            assert!(!error.message().contains(['\r', '\n', '\0']), "{error}");
            assert!(lock(wrong).is_err());
        }
        for right in ["a", "ключ", "é", "\u{a0}", "a|b", &"k".repeat(250)] {
            check(right).unwrap();
        }
    }

    #[test]
    fn the_name_of_a_lock_is_dogpiles_and_must_have_room() {
        assert_eq!(lock("user:1").unwrap(), "_lockuser:1");
        lock(&"k".repeat(245)).unwrap();
        let error = lock(&"k".repeat(246)).unwrap_err();
        assert!(error.message().contains("no more than 245"), "{error}");
        assert!(
            error.message().contains("`distributed_lock = false`"),
            "{error}"
        );
    }
}
