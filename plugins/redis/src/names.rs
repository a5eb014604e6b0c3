//! The names of what is stored beside a value.

/// What the name of the note of a deletion begins with, before the key's.
pub(crate) const TOMBSTONE: &str = "_dogpile_del";

/// The name of the note that `key` was deleted while its lock was held.
pub(crate) fn tombstone(key: &str) -> String {
    format!("{TOMBSTONE}{key}")
}
