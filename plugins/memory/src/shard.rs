use dogpile_plugin_api::{Key, Value};
use hashbrown::HashTable;

use crate::fragment::{self, Fragment};
use crate::mark;
use crate::queues::Queues;
use crate::removed::Removed;
use crate::sweep::{Sweep, When};
use crate::text;

/// A part of the entries, under one lock. A slot of the table is one pointer: the value holds its key and its hash.
#[derive(Default)]
#[repr(C)] // the table first, in the cache line of the lock
pub(crate) struct Shard {
    table: HashTable<Value>,
    /// What the entries weigh.
    pub(crate) bytes: u64,
    pub(crate) evictions: u64,
    pub(crate) expirations: u64,
    queues: Queues,
    sweep: Sweep,
    /// How many stores there were, about.
    stores: usize,
}

/// How many places a store looks at for what is over, and how many more before something live is evicted.
const LOOKS: usize = 2;
const LOOKS_FOR_ROOM: usize = 8;
/// One in so many stores looks at as many places of another shard, as its own had in the meantime.
const STORES_A_TURN: usize = 8;

impl Shard {
    #[inline]
    pub(crate) fn get(&self, key: &Key<'_>) -> Option<&Value> {
        let hash = key.hash();
        // Texts are compared outside the look-up's loop, whose registers a call would spill: one hash is one key, but
        // for chance.
        let found = self
            .table
            .find(fragment::in_table(hash), |value| value.key_hash() == hash)?;
        if text::is_same(found.key(), key) {
            Some(found)
        } else {
            self.find(key)
        }
    }

    /// The same as [`Shard::get`], for where it is not made part of its caller.
    #[inline(never)]
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<&Value> {
        self.table
            .find(fragment::in_table(key.hash()), |value| is(value, key))
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Takes out what is over, at a few places.
    pub(crate) fn sweep(&mut self, when: When, removed: &mut Removed) {
        self.sweep_looking_at(LOOKS, when, removed);
    }

    /// Takes out what is over, at some places, for a store in another shard.
    pub(crate) fn sweep_for_others(&mut self, when: When, removed: &mut Removed) {
        self.sweep_looking_at(STORES_A_TURN * LOOKS, when, removed);
    }

    /// Counts a store. If another shard is to be swept beside it: the number of this turn.
    pub(crate) fn turn_to_sweep_another(&mut self) -> Option<usize> {
        self.stores = self.stores.wrapping_add(1);
        self.stores
            .is_multiple_of(STORES_A_TURN)
            .then_some(self.stores / STORES_A_TURN)
    }

    /// Takes something out, if anything is there: what is over before what is live.
    pub(crate) fn make_room(&mut self, when: When, removed: &mut Removed) -> bool {
        if self.sweep_looking_at(LOOKS_FOR_ROOM, when, removed) {
            return true;
        }
        let Some(value) = self.queues.evict(&mut self.table) else {
            return false;
        };
        self.bytes -= u64::from(value.weight());
        self.evictions += 1;
        removed.push(value);
        true
    }

    fn sweep_looking_at(&mut self, looks: usize, when: When, removed: &mut Removed) -> bool {
        let before = (removed.entries, removed.bytes);
        self.sweep
            .run(&mut self.queues, &mut self.table, when, looks, removed);
        self.expirations += removed.entries - before.0;
        self.bytes -= removed.bytes - before.1;
        removed.entries > before.0
    }

    /// Stores; the budgets were asked before. Gives the value that was there.
    pub(crate) fn put(&mut self, key: &Key<'_>, value: Value, seconds: u32) -> Option<Value> {
        self.sweep.note(&value);
        self.bytes += u64::from(value.weight());
        let hash = fragment::in_table(key.hash());
        if let Some(slot) = self.table.find_mut(hash, |old| is(old, key)) {
            // Carried over so that renewing a value does not make it a newcomer.
            mark::begin(value.mark(), seconds, mark::hits(slot.mark()));
            let old = std::mem::replace(slot, value);
            self.bytes -= u64::from(old.weight());
            return Some(old);
        }
        mark::begin(value.mark(), seconds, 0);
        self.table
            .insert_unique(hash, value, |value| fragment::in_table(value.key_hash()));
        self.queues.push(Fragment::of(key.hash()), &self.table);
        None
    }

    /// Has every entry asked for at that time, in seconds, as far as anybody knows.
    pub(crate) fn begin_anew(&self, seconds: u32) {
        for value in &self.table {
            mark::begin(value.mark(), seconds, mark::hits(value.mark()));
        }
    }

    pub(crate) fn remove(&mut self, key: &Key<'_>, removed: &mut Removed) {
        let hash = fragment::in_table(key.hash());
        if let Ok(entry) = self.table.find_entry(hash, |value| is(value, key)) {
            let value = entry.remove().0;
            self.bytes -= u64::from(value.weight());
            removed.push(value);
            self.queues.tidy(&self.table);
        }
    }

    /// Takes everything out; what was counted stays.
    pub(crate) fn take_all(&mut self) -> (HashTable<Value>, u64) {
        self.queues = Queues::default();
        self.sweep = Sweep::default();
        (
            std::mem::take(&mut self.table),
            std::mem::take(&mut self.bytes),
        )
    }
}

#[inline]
fn is(value: &Value, key: &Key<'_>) -> bool {
    value.key_hash() == key.hash() && text::is_same(value.key(), key)
}
