//! What `check` looks at in a site.

use std::path::Path;

use dogpile_templates::{Site, ViewError};

use crate::output;

/// Says what is wrong with a site for a manifest with these regions, if it can be read, and what is probably not meant. The number of its pages, if nothing is wrong.
pub(super) fn check(dir: &Path, regions: Option<&[&str]>) -> Option<usize> {
    let found = Site::open(dir).and_then(|site| {
        let unknown = regions.map(|regions| site.unknown_regions(regions));
        let unknown = unknown.unwrap_or_default();
        for warning in unknown.into_iter().chain(site.warnings()) {
            output::say(format_args!("warning: {warning}\n"));
        }
        Ok((site.pages()?.len(), site.check()))
    });
    let (pages, errors) = found.unwrap_or_else(|error: ViewError| (0, vec![error]));
    for error in &errors {
        output::error(&error.clone().into());
        output::say(format_args!(""));
    }
    errors.is_empty().then_some(pages)
}
