use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The digest of all that a text is made of, item by item.
pub(crate) struct Digester(Sha256);

impl Digester {
    /// Begins with the engine, and the version of this crate.
    pub(crate) fn new(engine: &str) -> Self {
        let mut digester = Self(Sha256::new());
        digester.item(0, &format!("{engine} {}", env!("CARGO_PKG_VERSION")), &[]);
        digester
    }

    /// Something of a kind, with a name and a digest of always the same length for the kind. Lengths stand before names,
    /// so that no two lists look the same.
    pub(crate) fn item(&mut self, kind: u8, name: &str, digest: &[u8]) {
        self.0.update([kind]);
        self.0.update((name.len() as u64).to_le_bytes());
        self.0.update(name);
        self.0.update(digest);
    }

    /// The digest, in hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// In hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}
