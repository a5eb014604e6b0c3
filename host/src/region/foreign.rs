//! What Python pickled under a region's keys.

use super::Region;
use super::mangle::BackendKey;
use super::read::Found;
use crate::registry::Configured;
use crate::slot::MissReason;

/// Whether a payload is a pickle: dogpile.cache's, unless its region has another serializer. All protocols since the
/// second begin with `0x80` and their number, and all end with a full stop.
pub(super) fn is_pickle(payload: &[u8]) -> bool {
    matches!(payload, [0x80, 2..=0x0f, .., b'.'])
}

/// Whether stored bytes begin as a pickle, however they end: clients of memcached pickle a value as a whole.
pub(super) fn begins_as_pickle(stored: &[u8]) -> bool {
    matches!(stored, [0x80, 2..=0x0f, ..])
}

impl Configured {
    /// Whether a created value may be stored where a read found something, foreign or not.
    pub(super) fn may_replace(&self, foreign: bool) -> bool {
        !foreign || self.config.replace_foreign
    }
}

impl Region {
    /// Whether what a read found is pickled. If the backend failed, what was known `before` still counts, and in a
    /// region of which it is known that there are pickles, what is not known may be one.
    pub(super) fn is_foreign<T: Send + Sync + 'static>(
        &self,
        found: &Found<T>,
        before: bool,
    ) -> bool {
        match found.reason() {
            Some(MissReason::BackendError | MissReason::Bypass) => {
                before || self.slot().has_foreign()
            }
            _ => found.is_foreign(),
        }
    }

    /// Tells once of a region that there is something foreign in it.
    #[cold]
    pub(super) fn found_foreign(&self, region: &Configured, key: &BackendKey<'_>) {
        if region.config.replace_foreign || !self.slot().first_foreign() {
            return;
        }
        tracing::warn!(
            target: "dogpile.cache",
            region = self.name(),
            key = key.shown(),
            "what is stored under this key is pickled, as Python's dogpile.cache does by default; it is left alone, and its value is created on each call; give Python's region the same \
             serializer, or this one a key_prefix of its own, or set replace_foreign = true to store over it; further \
             keys of this region are not logged"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_is_known_by_its_start_and_end() {
        // pickle.dumps(1, protocol) of Python 3.11.
        let one: [&[u8]; 4] = [
            b"\x80\x02K\x01.",
            b"\x80\x03K\x01.",
            b"\x80\x04K\x01.",
            b"\x80\x05K\x01.",
        ];
        assert!(one.iter().all(|pickle| is_pickle(pickle)));
        let others: [&[u8]; 6] = [
            b"",
            b"\x80",
            b"\x80.",
            b"\x80\x05K\x01",
            b"\x81\x05K\x01.",
            b"\"text.\"",
        ];
        assert!(!others.iter().any(|other| is_pickle(other)));
    }
}
