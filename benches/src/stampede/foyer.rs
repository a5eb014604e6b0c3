use std::convert::Infallible;
use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, CacheEntry};

use super::CAPACITY;
use super::herd::Herd;
use crate::workload::Blob;

/// foyer's cache in memory, as it is built by default. It has no time to live.
#[derive(Clone)]
pub(crate) struct Foyer(Cache<String, Blob>);

impl Foyer {
    pub(crate) fn new() -> Self {
        Self(CacheBuilder::new(CAPACITY).build())
    }

    /// Its `get_or_fetch`, which runs the creator as a task of its own. Only in the context of a runtime.
    pub(crate) async fn get_or_create(&self, herd: &Arc<Herd>) -> CacheEntry<String, Blob> {
        let creator = Arc::clone(herd);
        let fetch = || async move { Ok::<_, Infallible>(creator.create_async().await) };
        let fetched = self.0.get_or_fetch(&herd.key, fetch).await;
        fetched.expect("its creator does not fail")
    }
}
