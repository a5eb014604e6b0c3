use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::files::File;

/// Identifies all that a template's text is made of, beside the values that it is given: the item with its attributes,
/// the configuration, and names and contents of all files. Lengths stand before each, so that no two lists look the same.
pub(crate) fn of(item: &str, config: &str, files: &[File]) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(concat!("askama 0.16 ", env!("CARGO_PKG_VERSION")));
    part(item);
    part(config);
    for file in files {
        part(&file.name);
        part(&file.text);
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}
