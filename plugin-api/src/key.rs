//! A key with its hash, which is computed once per call.

use std::fmt;
use std::ops::Deref;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

/// A key as a backend sees it: mangled, with its prefix, and with a hash.
///
/// It derefs to `&str`. The hash is seeded anew in each process: use it to find a place in memory, never store it. A
/// plugin that makes keys of its own asks [`HostContext::key`](crate::HostContext::key).
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Key<'a> {
    text: RStr<'a>,
    hash: u64,
}

impl<'a> Key<'a> {
    /// The key of values that were made for none.
    pub(crate) const NONE: Key<'static> = Key {
        text: RStr::EMPTY,
        hash: 0,
    };

    /// A key whose hash was computed by the host of this process. Equal texts must have equal hashes.
    #[inline]
    pub fn new(text: &'a str, hash: u64) -> Self {
        Self {
            text: RStr::from_str(text),
            hash,
        }
    }

    /// The hash of the text; the same for the same text while the process lives.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &'a str {
        self.text.as_str()
    }
}

impl Deref for Key<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// A [`Key`] that owns its text.
#[derive(Clone, Debug)]
pub struct OwnedKey {
    text: Box<str>,
    hash: u64,
}

impl OwnedKey {
    pub(crate) fn new(text: Box<str>, hash: u64) -> Self {
        Self { text, hash }
    }

    /// The key, borrowed.
    pub fn as_key(&self) -> Key<'_> {
        Key::new(&self.text, self.hash)
    }
}

impl From<&Key<'_>> for OwnedKey {
    fn from(key: &Key<'_>) -> Self {
        Self::new(key.as_str().into(), key.hash())
    }
}

impl<'a> From<&'a OwnedKey> for Key<'a> {
    fn from(key: &'a OwnedKey) -> Self {
        key.as_key()
    }
}
