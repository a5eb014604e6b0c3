use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::files::Content;

/// What identifies all that a text is made of, beside its context.
pub(crate) struct Made<'a> {
    /// A page's name, or a fragment's text.
    pub(crate) of: &'a str,
    pub(crate) templates: &'a BTreeMap<String, Arc<Content>>,
    pub(crate) missing: &'a BTreeSet<String>,
    pub(crate) data: &'a BTreeMap<String, Arc<Content>>,
}

impl Made<'_> {
    /// Over the version of this crate, and names and contents of all. Lengths stand before names, so that no two lists
    /// look the same.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut item = |kind: u8, name: &str, digest: &[u8]| {
            hash.update([kind]);
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(digest);
        };
        item(0, concat!("tera2 ", env!("CARGO_PKG_VERSION")), &[]);
        item(1, self.of, &[]);
        for (name, content) in self.templates {
            item(2, name, &content.digest);
        }
        for name in self.missing {
            item(3, name, &[]);
        }
        for (stem, content) in self.data {
            item(4, stem, &content.digest);
        }
        let mut text = String::with_capacity(64);
        for byte in hash.finalize() {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        }
        text
    }
}
