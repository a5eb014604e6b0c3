use std::convert::Infallible;
use std::time::Instant;

use quick_cache::sync::Cache;

use super::{Cached, Peer};
use crate::workload::TTL;

/// `quick_cache`'s `get_or_insert_with`, with its default hasher. It has no time to live.
pub(crate) struct QuickCache<V>(Cache<String, V>);

impl<V: Cached> Peer<V> for QuickCache<V> {
    type Held = V;

    fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    #[inline]
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> V {
        let Ok(value) = self
            .0
            .get_or_insert_with(key, || Ok::<_, Infallible>(create()));
        value
    }

    fn set(&self, key: &str, value: V) {
        self.0.insert(key.to_owned(), value);
    }

    fn entries(&self) -> u64 {
        self.0.len() as u64
    }
}

/// The same with a time to live as its users make one: a deadline beside each value, compared with `Instant::now`.
pub(crate) struct QuickCacheTtl<V>(Cache<String, (V, Instant)>);

impl<V: Cached> Peer<V> for QuickCacheTtl<V> {
    type Held = V;

    fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    #[inline]
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> V {
        let mut create = Some(create);
        let mut fresh = || {
            let create = create.take().expect("nothing expires while it is created");
            (create(), Instant::now() + TTL)
        };
        let Ok((value, deadline)) = self
            .0
            .get_or_insert_with(key, || Ok::<_, Infallible>(fresh()));
        if Instant::now() < deadline {
            return value;
        }
        let renewed = fresh();
        self.0.insert(key.to_owned(), renewed.clone());
        renewed.0
    }

    fn set(&self, key: &str, value: V) {
        self.0.insert(key.to_owned(), (value, Instant::now() + TTL));
    }

    fn entries(&self) -> u64 {
        self.0.len() as u64
    }
}
