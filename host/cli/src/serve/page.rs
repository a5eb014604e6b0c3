//! Pages out of the cache.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use dogpile::{Cached, Region, Source};
use dogpile_templates::{Page, Site, StaticFile, ViewError};
use tokio::sync::Semaphore;
use tokio::task;

use super::key::key;

/// So many requests render, or wait for one that does, at a time. Each takes a thread; the others queue.
const AT_ONCE: usize = 64;

/// A site, and the region that keeps its pages.
pub(super) struct Pages {
    site: Arc<Site>,
    region: Region,
    places: Arc<Semaphore>,
}

/// A page as it is sent.
pub(super) struct Rendered {
    pub(super) html: Bytes,
    pub(super) source: Source,
    pub(super) age: Duration,
}

impl Pages {
    pub(super) fn new(site: Site, region: Region) -> Self {
        Self {
            site: Arc::new(site),
            region,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The page of a path, from the region or rendered into it; `None` if there is no such page. Errors are not
    /// stored.
    pub(super) async fn page(
        &self,
        path: String,
        query: Vec<(String, String)>,
    ) -> Result<Option<Rendered>> {
        let (site, region) = (Arc::clone(&self.site), self.region.clone());
        self.on_a_thread(move || {
            let Some(page) = site.page(&path) else {
                return Ok(None);
            };
            cached(&region, &page, &query).map(Some)
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

fn cached(region: &Region, page: &Page, query: &[(String, String)]) -> Result<Rendered> {
    if page.digest().is_empty() {
        // The site cannot be read: nothing tells this page from another, so it has no key. It renders to the error.
        let html = page.render(query)?;
        return Ok(Rendered {
            html: html.into(),
            source: Source::Created,
            age: Duration::ZERO,
        });
    }
    let key = key(page.name(), query, page.digest());
    let made = region.try_get_or_create(key, || page.render(query));
    let html = made.map_err(|error| match error.creator::<ViewError>() {
        Some(error) => anyhow::Error::new(error.clone()),
        None => anyhow::Error::new(error),
    })?;
    Ok(Rendered {
        source: html.source(),
        age: html.age(),
        html: Bytes::from_owner(Shared(html)),
    })
}

/// Sends the cached text itself, not a copy.
struct Shared(Cached<String>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
