//! What `check` looks at in a site.

use std::path::Path;

use dogpile::manifest::Manifest;
use dogpile_templates::{Site, ViewError};

use crate::output;

/// Says what is wrong with a site for the regions of a manifest, if that can be read, and what is probably not meant. The
/// number of its pages, if nothing is wrong.
pub(super) fn check(dir: &Path, manifest: Option<&Manifest>) -> Option<usize> {
    let found = Site::open(dir).and_then(|site| {
        for warning in site.warnings() {
            output::say(format_args!("warning: {warning}\n"));
        }
        let mut errors = site.check();
        if let Some(manifest) = manifest {
            errors.extend(site.region_faults(|region| manifest.lacks(region)));
        }
        Ok((site.pages()?.len(), errors))
    });
    let (pages, errors) = found.unwrap_or_else(|error: ViewError| (0, vec![error]));
    for error in &errors {
        output::error(&error.clone().into());
        output::say(format_args!(""));
    }
    errors.is_empty().then_some(pages)
}
