//! Keys for people.

/// The longest piece of a key that is logged, in characters.
const SHOWN: usize = 300;

/// A key as it is logged: its first 300 characters at most.
pub fn shown(key: &str) -> &str {
    match key.char_indices().nth(SHOWN) {
        Some((end, _)) => &key[..end],
        None => key,
    }
}

/// All of these, each cut if it is long.
pub(crate) fn all_shown(keys: &[String]) -> Vec<&str> {
    keys.iter().map(|key| shown(key)).collect()
}
