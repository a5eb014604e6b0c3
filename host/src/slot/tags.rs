//! The tags of a value.

use std::sync::Arc;

/// The tags that a call gives to the value it stores. No allocation while there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags(Option<Arc<[Box<str>]>>);

impl Tags {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn new<T: Into<Box<str>>>(tags: impl IntoIterator<Item = T>) -> Self {
        let mut tags: Vec<Box<str>> = tags.into_iter().map(Into::into).collect();
        tags.sort_unstable();
        tags.dedup();
        Self((!tags.is_empty()).then(|| tags.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|tags| tags.iter()).map(|tag| &**tag)
    }
}
