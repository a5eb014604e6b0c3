//! What `check` looks at in a site.

use std::fmt::Display;
use std::path::Path;

use anyhow::{Error, anyhow};
use dogpile::manifest::Manifest;
use dogpile_templates::Site;

use crate::output;

/// The region that holds the pages of a site, unless another is named.
pub(crate) const PAGES: &str = "pages";

/// What was found in a site.
pub(super) struct Found {
    /// How many pages there are.
    pub(super) pages: usize,
    pub(super) errors: Vec<Error>,
    /// What is probably not meant.
    pub(super) warnings: Vec<String>,
}

/// Looks at a site whose pages are kept in `region`, for the regions of the manifest at `path`, if that can be read.
pub(super) fn check(dir: &Path, region: &str, path: &Path, manifest: Option<&Manifest>) -> Found {
    let found = Site::open(dir).and_then(|site| {
        let mut faults = site.check();
        if let Some(manifest) = manifest {
            faults.extend(site.region_faults(|region| manifest.lacks(region)));
        }
        Ok(Found {
            pages: site.pages()?.len(),
            errors: faults.into_iter().map(Error::new).collect(),
            warnings: site.warnings().iter().map(ToString::to_string).collect(),
        })
    });
    let mut found = found.unwrap_or_else(|error| Found {
        pages: 0,
        errors: vec![error.into()],
        warnings: Vec::new(),
    });
    if let Some(lacks) = manifest.and_then(|manifest| manifest.lacks(region)) {
        found.errors.push(without_region(&lacks, region, path));
    }
    found
}

/// That the pages of a site cannot be kept, since that region is not there.
pub(crate) fn without_region(lacks: &dyn Display, region: &str, manifest: &Path) -> Error {
    anyhow!(
        "{lacks}; the pages are kept in region `{region}`: add [regions.{region}] to {}, or name another with --region",
        manifest.display()
    )
}

impl Found {
    /// For people. Whether nothing is wrong.
    pub(super) fn say(&self) -> bool {
        for warning in &self.warnings {
            output::say(format_args!("warning: {warning}\n"));
        }
        for error in &self.errors {
            output::error(error);
            output::say(format_args!(""));
        }
        self.errors.is_empty()
    }
}
