use moka::sync::Cache;

use super::{Cached, Peer};
use crate::workload::TTL;

/// moka's `get_with_by_ref`, with its default hasher, as an application has it that asks for a time to live.
pub(crate) struct Moka<V>(Cache<String, V>);

impl<V: Cached> Peer<V> for Moka<V> {
    type Held = V;

    fn new(capacity: usize) -> Self {
        let builder = Cache::builder()
            .max_capacity(capacity as u64)
            .time_to_live(TTL);
        Self(builder.build())
    }

    #[inline]
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> V {
        self.0.get_with_by_ref(key, create)
    }

    fn set(&self, key: &str, value: V) {
        self.0.insert(key.to_owned(), value);
    }

    fn entries(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}
