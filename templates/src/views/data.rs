use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{Content, Tracked};

/// Data files by what templates name them.
pub(crate) type DataFiles = BTreeMap<String, Tracked>;

/// The tags that a text has by the data files which it uses.
pub(crate) fn tags(used: &BTreeMap<String, Arc<Content>>) -> Arc<[String]> {
    used.keys().map(|stem| tag(stem)).collect()
}

/// The tags of the data files that are not the same in both.
pub(crate) fn changed(before: &DataFiles, after: &DataFiles) -> Vec<String> {
    let stems: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let digest = |files: &DataFiles, stem: &str| Some(files.get(stem)?.content.digest);
    let changed = stems.into_iter();
    let changed = changed.filter(|stem| digest(before, stem) != digest(after, stem));
    changed.map(|stem| tag(stem)).collect()
}

/// The file that a tag is of, if it is one of these.
pub(crate) fn stem(tag: &str) -> Option<&str> {
    tag.strip_prefix("data/")?.strip_suffix(".json")
}

fn tag(stem: &str) -> String {
    format!("data/{stem}.json")
}
