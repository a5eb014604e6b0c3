use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::assets::{self, StaticFile};
use super::filters;
use super::page::Page;
use super::paths::template_of;
use crate::cache::ViewCache;
use crate::views::{Followed, Layout, Settings, ViewError};

/// A folder of templates, data and static files, followed as it is edited.
///
/// ```text
/// DIR/templates/**.html   Tera 2; a/b.html is the page /a/b, index.html the page /
/// DIR/data/*.json         data/peaks.json is `data.peaks` in every template
/// DIR/static/**           served as they are, as /static/…
/// ```
///
/// A template is no page if its name or a folder's starts with `_`: layouts, includes and components. Hidden files,
/// files without one of these endings and names that are not UTF-8 are not part of the site. A symbolic link counts if
/// it is to a file within DIR; one to a folder does not.
///
/// **Edits.** [`page`](Self::page) looks whether anything changed, as [`Views`](crate::Views) does: an edit is seen by
/// the next call. Then it reads again what looks different by its `stat` (device, inode, size, time of modification and
/// of change), and what was changed less than three seconds before it was read, since a later write could leave the
/// same times behind; whether the content differs is decided by its SHA-256. Callers look in parallel; only one at a
/// time reads.
///
/// **Errors.** A template or data file that is broken concerns the pages that use it: these answer with an error until
/// the next good save. Other pages go on.
///
/// Beside Tera's own, templates have the filters `urlencode` (a value for a query string) and `thousands` (`8,849`)
/// and the function `great_circle_km(from=…, to=…)` of two maps with `latitude` and `longitude`.
pub struct Site {
    followed: Followed,
}

impl Site {
    /// Opens the site in `dir`, without a cache: what its templates say of one is rendered each time. The error is about
    /// the folder; broken templates and data do not keep a site from being opened, see [`check`](Self::check).
    pub fn open(dir: &Path) -> Result<Site, ViewError> {
        Self::open_with(dir, ViewCache::off())
    }

    /// Opens the site in `dir`, whose fragments are kept in `cache`: what stands between `{% cache … %}` and
    /// `{% endcache %}`, see [`Views`](crate::Views).
    ///
    /// Keys hold the digests of the data files that a text uses, as far as it looks them up in its body. What a body has
    /// of a file by way of a variable is not seen: a tag written out in its cache tag, `tags=["data/peaks.json"]`, says
    /// that it uses the file. Each text has such a tag for each file that it uses, and when an edit of a file is seen,
    /// all texts with its tag are outdated, in the regions that the cache has used.
    pub fn open_with(dir: &Path, cache: ViewCache) -> Result<Site, ViewError> {
        let settings = Settings {
            cache,
            has_data: true,
            same: &["data", "rendered_at"],
            apart: &["query"],
            setup: Box::new(filters::register),
            globals: OnceLock::new(),
        };
        let followed = Followed::open(dir, Layout::Site, settings)?;
        Ok(Self { followed })
    }

    /// The page that a request path names: `/` is `index.html`, `/a/b` is `a/b.html`. Decodes nothing: `path` is
    /// percent-decoded already and has no query. `None`: there is no such page.
    ///
    /// If the folder cannot be read any more, every path that could be a page's gives a page which renders to that
    /// error.
    pub fn page(&self, path: &str) -> Option<Page> {
        let name = template_of(path)?;
        match self.followed.page(&name) {
            Ok(plan) => Some(Page::whole(plan?)),
            Err(error) => Some(Page::unread(name, error)),
        }
    }

    /// All pages, ordered by the names of their templates.
    pub fn pages(&self) -> Result<Vec<Page>, ViewError> {
        let snapshot = self.followed.current()?;
        let plans = snapshot.pages.values();
        Ok(plans.map(|plan| Page::whole(Arc::clone(plan))).collect())
    }

    /// Compiles every page without rendering one, and gives what is wrong, each error once: see
    /// [`Views::check`](crate::Views::check).
    pub fn check(&self) -> Vec<ViewError> {
        self.followed.check()
    }

    /// Fragments that name a region by a literal of which `lacks` says what is wrong with it, each with file, line and
    /// that: for who checks a site without the host that it is for. [`check`](Self::check) asks the host that there is.
    pub fn region_faults(&self, lacks: impl Fn(&str) -> Option<String>) -> Vec<ViewError> {
        self.followed.region_faults(lacks)
    }

    /// What works, but probably not as it is meant, each once: see [`Views::warnings`](crate::Views::warnings). `data` and
    /// `rendered_at` need no key. Of `query`, each name that a fragment uses must be in its key, or all of it.
    pub fn warnings(&self) -> Vec<ViewError> {
        self.followed.warnings()
    }

    /// The file that a request path such as `/static/site.css` names, percent-decoded already. It is read at each call.
    /// `None`: there is no such file in `DIR/static`, it cannot be read, or it has more than 64 MiB. A symbolic link is
    /// followed if it stays in that folder.
    pub fn static_file(&self, path: &str) -> Option<StaticFile> {
        assets::read(&self.followed.dir, path)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("dir", &self.followed.dir)
            .finish_non_exhaustive()
    }
}
