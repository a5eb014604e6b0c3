//! The keys being created in one shard. Everything here happens under the shard's lock and runs no user code.

use crate::circle::Place;
use crate::flight::Flight;
use crate::scope::Owner;
use crate::sync::Arc;
use crate::waiters::Waiters;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A flight as the table knows it.
pub(crate) struct Entry<V, E, L> {
    pub(crate) flight: Arc<Flight<V, E>>,
    /// The creation that has the turn.
    pub(crate) owner: Owner,
    pub(crate) waiters: Waiters<L>,
    /// Where the flight is in the wait graph, once another creation depends on it.
    pub(crate) place: Option<Place>,
    /// Another process creates, and its mutex is waited for.
    pub(crate) elsewhere: bool,
}

/// Flights by the hash of their key; those of equal hash share a list.
pub(crate) struct Table<V, E, L>(HashMap<u64, Vec<Entry<V, E, L>>, BuildHasherDefault<AsGiven>>);

impl<V, E, L> Table<V, E, L> {
    pub(crate) fn new() -> Self {
        Self(HashMap::default())
    }

    pub(crate) fn find(&mut self, hash: u64, key: &str) -> Option<&mut Entry<V, E, L>> {
        let entries = self.0.get_mut(&hash)?;
        entries
            .iter_mut()
            .find(|entry| **entry.flight.key() == *key)
    }

    /// Only if [`Table::find`] found none.
    pub(crate) fn add(&mut self, flight: Arc<Flight<V, E>>, owner: Owner, place: Option<Place>) {
        let entries = self.0.entry(flight.hash());
        let entries = entries.or_insert_with(|| Vec::with_capacity(1));
        entries.push(Entry {
            flight,
            owner,
            waiters: Waiters::new(),
            place,
            elsewhere: false,
        });
    }

    #[cfg(all(test, not(feature = "model-check")))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn flights(&self) -> Vec<Arc<Flight<V, E>>> {
        let entries = self.0.values().flatten();
        entries.map(|entry| Arc::clone(&entry.flight)).collect()
    }

    /// The entry of this very flight.
    pub(crate) fn entry(&mut self, flight: &Arc<Flight<V, E>>) -> Option<&mut Entry<V, E, L>> {
        let entries = self.0.get_mut(&flight.hash())?;
        entries
            .iter_mut()
            .find(|entry| Arc::ptr_eq(&entry.flight, flight))
    }

    /// The caller holds the flight too, so that no value is dropped under the lock.
    pub(crate) fn remove(&mut self, flight: &Arc<Flight<V, E>>) -> Option<Entry<V, E, L>> {
        let entries = self.0.get_mut(&flight.hash())?;
        let at = entries
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.flight, flight))?;
        let entry = entries.swap_remove(at);
        if entries.is_empty() {
            self.0.remove(&flight.hash());
        }
        Some(entry)
    }
}

/// The keys of the map are hashes already.
#[derive(Default)]
struct AsGiven(u64);

impl Hasher for AsGiven {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
}
