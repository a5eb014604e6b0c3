//! What does not survive a fork.

use std::mem;
use std::process;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// What belongs to one process. A child has none of its parent's connections, of which both would read the replies.
#[derive(Debug)]
pub struct PerProcess<T>(ArcSwap<Owned<T>>);

#[derive(Debug)]
struct Owned<T> {
    process: u32,
    value: Arc<T>,
}

impl<T> PerProcess<T> {
    /// That of this process.
    pub fn new(value: Arc<T>) -> Self {
        Self(ArcSwap::new(Owned::new(value)))
    }

    /// That of this process, which is made if it is a child.
    pub fn get(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let owned = self.0.load();
        if owned.process == process::id() {
            return Arc::clone(&owned.value);
        }
        let parents = Arc::clone(&owned);
        drop(owned);
        let own = Owned::new(make());
        let before = self.0.compare_and_swap(&parents, Arc::clone(&own));
        let is_mine = Arc::ptr_eq(&before, &parents);
        // What the parent had may be locked by one of its threads, for ever.
        mem::forget(parents);
        if is_mine {
            Arc::clone(&own.value)
        } else {
            Arc::clone(&before.value)
        }
    }
}

impl<T> Owned<T> {
    fn new(value: Arc<T>) -> Arc<Self> {
        let process = process::id();
        Arc::new(Self { process, value })
    }
}
