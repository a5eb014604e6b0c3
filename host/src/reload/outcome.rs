//! What became of a reload.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::{Change, ChangeKind};
use super::templates::TemplateCacheChange;
use crate::manifest::ManifestError;

/// The outcome of a reload, or of planning one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reload {
    /// The generation in force afterwards.
    pub generation: u64,
    /// Whether anything was, or would be, changed.
    pub changed: bool,
    /// Whether it was only planned: then nothing is changed.
    #[serde(default)]
    pub planned: bool,
    /// What becomes of each region of the manifest.
    pub changes: Vec<Change>,
    /// How many entries are, or would be, lost with the instances of backends that go, as far as these say; what other
    /// processes see too is not lost.
    #[serde(default)]
    pub entries_lost: u64,
    /// What becomes of the template cache, if there is or was one.
    #[serde(default)]
    pub templates: Option<TemplateCacheChange>,
    /// What works, but probably not as it is meant; each as an error is printed, with its place.
    #[serde(default)]
    pub warnings: Vec<String>,
    #[serde(skip)]
    findings: Vec<ManifestError>,
}

impl Reload {
    pub(super) fn unchanged(generation: u64, changes: Vec<Change>) -> Self {
        Self {
            generation,
            changed: false,
            planned: false,
            changes,
            entries_lost: 0,
            templates: None,
            warnings: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn warn(&mut self, findings: impl IntoIterator<Item = ManifestError>) {
        for finding in findings {
            self.warnings.push(finding.to_string());
            self.findings.push(finding);
        }
    }

    /// The warnings with their places, as this process knows them; none of a reload that another one told of.
    pub fn findings(&self) -> &[ManifestError] {
        &self.findings
    }
}

/// Without the warnings.
impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.changed {
            return write!(f, "nothing to change, generation {}", self.generation);
        }
        let is_kept = |change: &&Change| change.kind == ChangeKind::Kept;
        let kept = self.changes.iter().filter(is_kept).count();
        let others = self.changes.iter().filter(|change| !is_kept(change));
        if self.planned {
            write!(f, "would become generation {}", self.generation + 1)?;
        } else {
            write!(f, "generation {}", self.generation)?;
        }
        for change in others {
            if self.planned {
                write!(f, "\n{}", change.planned())?;
            } else {
                write!(f, "\n{change}")?;
            }
        }
        let templates = self.templates.as_ref();
        if let Some(change) = templates.filter(|change| change.kind != ChangeKind::Kept) {
            f.write_str("\n")?;
            change.write(f, self.planned)?;
        }
        if kept > 0 {
            let keep = if self.planned { "would keep" } else { "kept" };
            let (plural, they) = if kept == 1 {
                ("", "it is")
            } else {
                ("s", "they are")
            };
            write!(f, "\n{keep} {kept} region{plural} as {they}")?;
        }
        if self.planned {
            f.write_str("\nnothing was changed")?;
        }
        Ok(())
    }
}
