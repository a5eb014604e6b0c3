use std::path::{Path, PathBuf};

use super::paths::is_page;

/// How a folder is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Of templates and nothing else: each file is one, named by its path, and may be a page.
    Templates,
    /// Of a site: `templates/**.html`, of which those whose path has no part that begins with `_` are pages, and
    /// `data/*.json`.
    Site,
}

impl Layout {
    pub(crate) fn templates(self, dir: &Path) -> PathBuf {
        match self {
            Self::Templates => dir.to_owned(),
            Self::Site => dir.join("templates"),
        }
    }

    pub(crate) fn data(self, dir: &Path) -> Option<PathBuf> {
        (self == Self::Site).then(|| dir.join("data"))
    }

    /// Whether a file in the folder of templates is one.
    pub(crate) fn is_template(self, name: &str) -> bool {
        self == Self::Templates || name.strip_suffix(".html").is_some()
    }

    /// Whether a template is a page.
    pub(crate) fn is_page(self, template: &str) -> bool {
        let stem = template.strip_suffix(".html");
        self == Self::Templates || stem.is_some_and(is_page)
    }

    /// What is wrong with a folder that is not there, and what to do.
    pub(crate) fn missing(self) -> (&'static str, &'static str) {
        match self {
            Self::Templates => (
                "there are no templates here",
                "Name the folder that the templates are in.",
            ),
            Self::Site => (
                "there is no site here",
                "Name a folder with templates/index.html in it.",
            ),
        }
    }
}
