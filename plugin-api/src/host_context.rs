//! What a plugin may ask of the host.

use crate::OwnedKey;
use crate::abi::RawHost;

/// The host, as a plugin sees it: handed to `open`, and cheap to keep a clone of.
#[derive(Clone, Copy)]
pub struct HostContext {
    raw: RawHost,
}

impl HostContext {
    pub(crate) fn new(raw: RawHost) -> Self {
        Self { raw }
    }

    /// The name under which the manifest lists the plugin.
    pub fn plugin(&self) -> &'static str {
        self.raw.plugin()
    }

    /// A key with this process's hash, for plugins that make keys of their own.
    pub fn key(&self, text: impl Into<Box<str>>) -> OwnedKey {
        let text = text.into();
        let hash = self.raw.hash(&text);
        OwnedKey::new(text, hash)
    }

    /// The host's clock, in nanoseconds since 1970. It is the one to compare [`Value::keep_until`] with.
    ///
    /// [`Value::keep_until`]: crate::Value::keep_until
    pub fn now(&self) -> u64 {
        self.raw.now()
    }
}
