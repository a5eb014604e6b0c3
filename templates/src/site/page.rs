use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tera::Context;

use super::paths::path_of;
use crate::cache::{PageOptions, Part, Rendered};
use crate::views::{Plan, ViewError};

/// A page of a [`Site`](super::Site) as it was when it was asked for: whatever is saved meanwhile, its digest and all
/// its renders are of the same templates and data. A clone is cheap.
#[derive(Clone)]
pub struct Page(Inner);

#[derive(Clone)]
enum Inner {
    Whole(Arc<Plan>),
    /// The site could not be read, so nothing is known of the page but its name.
    Unread {
        name: String,
        error: ViewError,
    },
}

impl Page {
    pub(crate) fn whole(plan: Arc<Plan>) -> Self {
        Self(Inner::Whole(plan))
    }

    pub(crate) fn unread(name: String, error: ViewError) -> Self {
        Self(Inner::Unread { name, error })
    }

    /// The name of its template: `a/b.html`.
    pub fn name(&self) -> &str {
        match &self.0 {
            Inner::Whole(plan) => plan.template.name(),
            Inner::Unread { name, .. } => name,
        }
    }

    /// What identifies the content that the page is made of: 64 hexadecimal digits, over names and contents of the
    /// template, of all that it reaches by parents, includes and components, and of the data files which these use.
    /// It is part of the page's key in the cache. A file of which the page makes no use does not change
    /// it.
    ///
    /// Empty if the site cannot be read. Such a page renders to an error, so there is nothing to cache.
    pub fn digest(&self) -> &str {
        match &self.0 {
            Inner::Whole(plan) => plan.template.digest(),
            Inner::Unread { .. } => "",
        }
    }

    /// The page from the cache that its site was opened with, or rendered into it. Its key has what its
    /// templates use of the query, of which only the last of equal names counts, in any order. It is kept in `region`, unless the template cache decides otherwise;
    /// without the template cache too. Its tags are `data/stem.json` for each data file that it uses.
    ///
    /// # Errors
    ///
    /// Those of [`render`](Self::render), which are not stored. What fails in the cache is none.
    pub fn cached(&self, region: &str, query: &[(String, String)]) -> Result<Rendered, ViewError> {
        match &self.0 {
            Inner::Whole(plan) => part(plan, region, query).get_or_create(|| self.render(query)),
            Inner::Unread { error, .. } => Err(error.clone()),
        }
    }

    /// Renders the page. It does the work on the caller's thread, without a lock, and may take long.
    ///
    /// A template sees `query` (a map of strings; of equal names the last counts), `path` (that of the page: `/a/b`),
    /// `rendered_at` (RFC 3339, UTC) and `data.stem` for each file `data/stem.json`. An error names the file and,
    /// where there is one, the line; it concerns this page alone.
    pub fn render(&self, query: &[(String, String)]) -> Result<String, ViewError> {
        let plan = match &self.0 {
            Inner::Whole(plan) => plan,
            Inner::Unread { error, .. } => return Err(error.clone()),
        };
        let query = distinct(query);
        let mut context = Context::new();
        context.insert("query", &query);
        context.insert("path", &path_of(plan.template.name()));
        context.insert(
            "rendered_at",
            &humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        );
        plan.render(context, PageOptions::default())
    }
}

fn part<'a>(plan: &'a Plan, region: &'a str, query: &[(String, String)]) -> Part<'a> {
    let mut used = distinct(query);
    used.retain(|name, _| plan.query.has(name));
    plan.cache()
        .page(&plan.template)
        .key(&used)
        .region(region)
        .default_region(region)
        .tags(plan.tags.iter().cloned())
}

fn distinct(query: &[(String, String)]) -> BTreeMap<&str, &str> {
    let pairs = query.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}
