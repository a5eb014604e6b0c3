//! The hash of keys: computed once per call, seeded per process.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of a key's text in this process. Never stored: another process has another.
#[inline]
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = SEED.build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}
