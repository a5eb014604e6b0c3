//! What `check` looks at in a site.

use std::path::Path;

use dogpile::manifest::Manifest;
use dogpile_templates::{Site, ViewError};

use crate::output;

/// What was found in a site.
pub(super) struct Found {
    /// How many pages there are.
    pub(super) pages: usize,
    pub(super) errors: Vec<ViewError>,
    /// What is probably not meant.
    pub(super) warnings: Vec<String>,
}

/// Looks at a site for the regions of a manifest, if that can be read.
pub(super) fn check(dir: &Path, manifest: Option<&Manifest>) -> Found {
    let found = Site::open(dir).and_then(|site| {
        let mut errors = site.check();
        if let Some(manifest) = manifest {
            errors.extend(site.region_faults(|region| manifest.lacks(region)));
        }
        Ok(Found {
            pages: site.pages()?.len(),
            errors,
            warnings: site.warnings().iter().map(ToString::to_string).collect(),
        })
    });
    found.unwrap_or_else(|error| Found {
        pages: 0,
        errors: vec![error],
        warnings: Vec::new(),
    })
}

impl Found {
    /// For people. Whether nothing is wrong.
    pub(super) fn say(&self) -> bool {
        for warning in &self.warnings {
            output::say(format_args!("warning: {warning}\n"));
        }
        for error in &self.errors {
            output::error(&error.clone().into());
            output::say(format_args!(""));
        }
        self.errors.is_empty()
    }
}
