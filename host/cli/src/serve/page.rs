//! Pages out of the cache.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use axum::http::HeaderValue;
use dogpile::Region;
use dogpile_templates::{Page, Site, StaticFile, TemplateOutcome, Trace};
use tokio::sync::Semaphore;
use tokio::task;

use super::fragments;

/// So many requests render, or wait for one that does, at a time. Each takes a thread; the others queue.
const AT_ONCE: usize = 64;

/// A site, and the region that keeps its pages.
pub(super) struct Pages {
    site: Arc<Site>,
    region: Region,
    comment: bool,
    places: Arc<Semaphore>,
}

/// A page as it is sent.
pub(super) struct Rendered {
    pub(super) html: Bytes,
    pub(super) outcome: TemplateOutcome,
    pub(super) age: Duration,
    /// What came of its fragments, if it was rendered for this request.
    pub(super) fragments: Option<HeaderValue>,
}

impl Pages {
    /// With `comment`, each page ends with one.
    pub(super) fn new(site: Site, region: Region, comment: bool) -> Self {
        Self {
            site: Arc::new(site),
            region,
            comment,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The page of a path, from the cache or rendered into it; `None` if there is no such page. Errors are not stored.
    pub(super) async fn page(
        &self,
        path: String,
        query: Vec<(String, String)>,
    ) -> Result<Option<Rendered>> {
        let (site, region) = (Arc::clone(&self.site), self.region.clone());
        let comment = self.comment;
        self.on_a_thread(move || {
            let Some(page) = site.page(&path) else {
                return Ok(None);
            };
            cached(&region, &page, &query, comment).map(Some)
        })
        .await?
    }

    pub(super) async fn static_file(&self, path: String) -> Result<Option<StaticFile>> {
        let site = Arc::clone(&self.site);
        self.on_a_thread(move || site.static_file(&path)).await
    }

    /// Work that may block. It is done to its end, also if who asked for it goes.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await?;
        let done = task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        Ok(done.await?)
    }
}

fn cached(
    region: &Region,
    page: &Page,
    query: &[(String, String)],
    comment: bool,
) -> Result<Rendered> {
    let (page, trace) = Trace::of(|| page.cached(region.name(), query));
    let page = page?;
    let (outcome, age) = (page.outcome(), page.age());
    let html = if comment {
        let comment = fragments::comment(outcome.name(), &trace);
        (page.into_string() + &comment).into()
    } else {
        // The cached text itself, not a copy.
        Bytes::from_owner(page)
    };
    Ok(Rendered {
        html,
        outcome,
        age,
        fragments: fragments::header(&trace),
    })
}
