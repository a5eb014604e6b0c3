//! What becomes of the templates' cache.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::ChangeKind;
use crate::registry::Templates;

/// What becomes of the template cache that `[templates]` names. It stores nothing, so nothing is lost with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateCacheChange {
    /// Its name; that of the old one, if it is removed.
    pub name: String,
    /// What becomes of it.
    pub kind: ChangeKind,
}

/// Compares what is in force with what is to come; none if there is, and was, nothing.
pub(super) fn template_change(
    current: Option<&Templates>,
    next: Option<&Templates>,
) -> Option<TemplateCacheChange> {
    let kind = match (current, next) {
        (None, None) => return None,
        (None, Some(_)) => ChangeKind::Added,
        (Some(_), None) => ChangeKind::Removed,
        (Some(old), Some(new)) if Arc::ptr_eq(&old.cache, &new.cache) => ChangeKind::Kept,
        (Some(_), Some(_)) => ChangeKind::Swapped,
    };
    let name = next.or(current)?.cache.name.clone();
    Some(TemplateCacheChange { name, kind })
}

impl TemplateCacheChange {
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, planned: bool) -> fmt::Result {
        write!(
            f,
            "{} template cache `{}`",
            self.kind.verb(planned),
            self.name
        )
    }
}
