use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::interpolate::Interpolator;

/// SHA-256 over parts, each with its length, so that no two lists of parts have the same bytes.
#[derive(Default)]
pub(super) struct ContentHash(Sha256);

impl ContentHash {
    pub(super) fn part(&mut self, kind: &[u8], content: &[u8]) {
        for bytes in [kind, content] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    /// Variables and files count by what they gave.
    pub(super) fn interpolated(&mut self, interpolator: &Interpolator<'_>) {
        for (name, value) in interpolator.variables() {
            self.part(b"variable", name.as_bytes());
            match value {
                Ok(Some(value)) => self.part(b"value", value.as_bytes()),
                Ok(None) => self.part(b"unset", b""),
                Err(reason) => self.part(b"unusable", reason.as_bytes()),
            }
        }
        for (name, text) in interpolator.files() {
            self.part(b"target", name.as_bytes());
            match text {
                Ok(text) => self.part(b"text", text.as_bytes()),
                Err(reason) => self.part(b"unusable", reason.as_bytes()),
            }
        }
    }

    pub(super) fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        text
    }
}
