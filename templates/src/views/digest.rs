use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::Content;
use crate::cache::Digester;

/// What identifies all that a text is made of, beside its context.
pub(crate) struct Made<'a> {
    /// A page's name, or a fragment's text.
    pub(crate) of: &'a str,
    pub(crate) templates: &'a BTreeMap<String, Arc<Content>>,
    pub(crate) missing: &'a BTreeSet<String>,
    pub(crate) data: &'a BTreeMap<String, Arc<Content>>,
    pub(crate) globals: &'a str,
}

impl Made<'_> {
    /// Over the version of this crate, and names and contents of all.
    pub(crate) fn digest(&self) -> String {
        let mut digester = Digester::new("tera2");
        digester.item(1, self.of, &[]);
        for (name, content) in self.templates {
            digester.item(2, name, &content.digest);
        }
        for name in self.missing {
            digester.item(3, name, &[]);
        }
        for (stem, content) in self.data {
            digester.item(4, stem, &content.digest);
        }
        digester.item(5, self.globals, &[]);
        digester.finish()
    }
}
