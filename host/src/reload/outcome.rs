//! What became of a reload.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::{Change, ChangeKind};

/// The outcome of a reload, or of planning one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reload {
    /// The generation in force afterwards.
    pub generation: u64,
    /// Whether anything was, or would be, changed.
    pub changed: bool,
    /// What becomes of each region of the manifest.
    pub changes: Vec<Change>,
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.changed {
            return write!(f, "nothing to change, generation {}", self.generation);
        }
        write!(f, "generation {}", self.generation)?;
        for change in self
            .changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Kept)
        {
            write!(f, "\n{change}")?;
        }
        let kept = self
            .changes
            .iter()
            .filter(|change| change.kind == ChangeKind::Kept)
            .count();
        if kept > 0 {
            write!(
                f,
                "\nkept {kept} region{} as {}",
                if kept == 1 { "" } else { "s" },
                if kept == 1 { "it is" } else { "they are" }
            )?;
        }
        Ok(())
    }
}
