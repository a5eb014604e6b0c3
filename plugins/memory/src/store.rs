use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use dogpile_plugin_api::{BackendStats, HostContext, Key, Value};
use parking_lot::RwLock;

use crate::arguments::{MaxEntries, MemoryArguments, TimeToIdle};
use crate::budget::Budget;
use crate::fragment;
use crate::idle::{self, Idle};
use crate::mark;
use crate::removed::Removed;
use crate::shard::Shard;
use crate::sweep::When;

/// All entries, in shards, with what they may take together.
pub(crate) struct Store {
    shards: Box<[Locked]>,
    count: u32,
    /// In seconds; 0 for no limit.
    time_to_idle: AtomicU32,
    host: HostContext,
    /// Whether any entry ever had a `keep_until`, so that the clock matters.
    ends: AtomicBool,
    /// Where to look next for something to evict when a shard has nothing.
    next: AtomicUsize,
    entries: Budget,
    bytes: Budget,
}

/// Neighbours share no cache line, nor a pair of them, which processors fetch together.
#[derive(Default)]
#[repr(align(128))]
struct Locked(RwLock<Shard>);

impl Store {
    pub(crate) fn new(arguments: &MemoryArguments, host: &HostContext) -> Self {
        let (max_entries, max_bytes) = limits(arguments);
        let count = shards(max_entries, max_bytes);
        Self {
            shards: (0..count).map(|_| Locked::default()).collect(),
            count,
            time_to_idle: AtomicU32::new(time_to_idle(arguments)),
            host: *host,
            ends: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            entries: Budget::new(max_entries),
            bytes: Budget::new(max_bytes),
        }
    }

    /// Takes on other limits, with every shard locked: what is too much is evicted, and nothing else. The number of shards
    /// stays.
    pub(crate) fn limit_to(&self, arguments: &MemoryArguments) {
        let mut removed = Removed::default();
        let mut shards: Vec<_> = self.shards.iter().map(|shard| shard.0.write()).collect();
        let now = self.host.now();
        let before = self.idle();
        let idle = time_to_idle(arguments);
        self.time_to_idle.store(idle, Ordering::Relaxed);
        if before.is_none() && idle != 0 {
            // Nobody noted until now when an entry was asked for.
            for shard in &shards {
                shard.begin_anew(idle::seconds(now));
            }
        }
        let (max_entries, max_bytes) = limits(arguments);
        let entries = shards.iter().map(|shard| shard.len() as u64).sum();
        let bytes = shards.iter().map(|shard| shard.bytes).sum();
        self.entries.limit_to(max_entries, entries);
        self.bytes.limit_to(max_bytes, bytes);
        let when = When {
            now,
            idle: self.idle(),
        };
        let is_too_much = || self.entries.is_exceeded() || self.bytes.is_exceeded();
        while is_too_much() {
            for shard in &mut shards {
                if is_too_much() {
                    shard.make_room(when, &mut removed);
                    self.settle(&mut removed);
                }
            }
        }
        // The values are dropped after the locks.
        drop(shards);
    }

    #[inline]
    fn idle(&self) -> Option<Idle> {
        match self.time_to_idle.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(Idle::new(seconds)),
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &Key<'_>) -> Option<Value> {
        if let Some(idle) = self.idle() {
            return self.get_unless_idle(key, idle);
        }
        let shard = self.shards[self.index(key)].0.read();
        let value = shard.get(key)?;
        mark::hit(value.mark());
        Some(value.clone())
    }

    #[inline(never)]
    fn get_unless_idle(&self, key: &Key<'_>, idle: Idle) -> Option<Value> {
        let now = self.host.now();
        let shard = self.shards[self.index(key)].0.read();
        let value = shard.find(key)?;
        let when = When {
            now,
            idle: Some(idle),
        };
        if when.is_over(value) {
            drop(shard);
            self.remove_if_over(key, when);
            return None;
        }
        mark::hit_at(value.mark(), idle::seconds(now));
        Some(value.clone())
    }

    pub(crate) fn set(&self, key: &Key<'_>, value: Value) {
        let weight = u64::from(value.weight());
        let at = self.index(key);
        let mut removed = Removed::default();
        let mut shard = self.shards[at].0.write();
        // Under the lock, as limits change under it.
        let when = self.when(&value);
        shard.sweep(when, &mut removed);
        if let Some(turn) = shard.turn_to_sweep_another() {
            self.sweep_another(at, turn, when, &mut removed);
        }
        self.settle(&mut removed);
        loop {
            if self.bytes.limit().is_some_and(|limit| weight > limit) {
                shard.remove(key, &mut removed);
                self.settle(&mut removed);
                drop(shard);
                return;
            }
            // What is there may change each time around, as making room can hit this very key.
            let old = shard.find(key).map(|old| u64::from(old.weight()));
            if self.take(old, weight) {
                if let Some(old) = shard.put(key, value, idle::seconds(when.now)) {
                    self.bytes
                        .give(u64::from(old.weight()).saturating_sub(weight));
                    drop(shard);
                    drop(old);
                }
                return;
            }
            if !shard.make_room(when, &mut removed) {
                drop(shard);
                self.make_room_anywhere(when, &mut removed);
                shard = self.shards[at].0.write();
            }
            self.settle(&mut removed);
        }
    }

    pub(crate) fn delete(&self, key: &Key<'_>) {
        let mut removed = Removed::default();
        let mut shard = self.shards[self.index(key)].0.write();
        shard.remove(key, &mut removed);
        self.settle(&mut removed);
        drop(shard);
    }

    /// Takes out an entry that a read found to be over, unless it was replaced meanwhile.
    fn remove_if_over(&self, key: &Key<'_>, when: When) {
        let mut removed = Removed::default();
        let mut shard = self.shards[self.index(key)].0.write();
        if shard.find(key).is_some_and(|value| when.is_over(value)) {
            shard.remove(key, &mut removed);
            shard.expirations += 1;
        }
        self.settle(&mut removed);
        drop(shard);
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.0.write();
            let (table, bytes) = shard.take_all();
            self.entries.give(table.len() as u64);
            self.bytes.give(bytes);
            drop(shard);
            drop(table);
        }
    }

    /// Of one moment, with every shard locked: one after the other would count what moves between them twice, and more
    /// than the limits allow.
    pub(crate) fn stats(&self) -> BackendStats {
        let (mut entries, mut bytes, mut evictions, mut expirations) = (0, 0, 0, 0);
        let shards: Vec<_> = self.shards.iter().map(|shard| shard.0.read()).collect();
        for shard in &shards {
            entries += shard.len() as u64;
            bytes += shard.bytes;
            evictions += shard.evictions;
            expirations += shard.expirations;
        }
        let mut stats = BackendStats::default();
        stats.entries = Some(entries);
        stats.bytes = Some(bytes);
        stats.evictions = Some(evictions);
        stats.expirations = Some(expirations);
        stats
    }

    /// Sweeps another shard than the one at `own`, so that what is over goes out of those too in which nothing is
    /// stored. One that somebody uses waits for its next turn.
    fn sweep_another(&self, own: usize, turn: usize, when: When, removed: &mut Removed) {
        if self.shards.len() > 1 && when.can_be_over() {
            let others = self.shards.len() - 1;
            let at = (own + 1 + turn % others) % self.shards.len();
            // Never waits, as the caller holds its own lock.
            if let Some(mut shard) = self.shards[at].0.try_write() {
                shard.sweep_for_others(when, removed);
            }
        }
    }

    /// Takes from the budgets what a value needs beside what the one in its place, of weight `old`, already has.
    fn take(&self, old: Option<u64>, weight: u64) -> bool {
        let entries = u64::from(old.is_none());
        if !self.entries.take(entries) {
            return false;
        }
        let taken = self.bytes.take(weight.saturating_sub(old.unwrap_or(0)));
        if !taken {
            self.entries.give(entries);
        }
        taken
    }

    /// Gives the budgets what removed entries had. The lock of some shard is held.
    fn settle(&self, removed: &mut Removed) {
        self.entries.give(std::mem::take(&mut removed.entries));
        self.bytes.give(std::mem::take(&mut removed.bytes));
    }

    /// Takes one entry out of the first shard that has one. What was taken from the budgets is in some shard, or is
    /// put there before its lock is released, so going around finds something sooner or later.
    #[cold]
    fn make_room_anywhere(&self, when: When, removed: &mut Removed) {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.shards.len();
        for at in 0..count {
            let mut shard = self.shards[start.wrapping_add(at) % count].0.write();
            if shard.make_room(when, removed) {
                self.settle(removed);
                return;
            }
        }
    }

    fn when(&self, value: &Value) -> When {
        if value.keep_until() != 0 && !self.ends.load(Ordering::Relaxed) {
            self.ends.store(true, Ordering::Relaxed);
        }
        let idle = self.idle();
        let timed = idle.is_some() || self.ends.load(Ordering::Relaxed);
        When {
            now: if timed { self.host.now() } else { 0 },
            idle,
        }
    }

    #[inline]
    fn index(&self, key: &Key<'_>) -> usize {
        fragment::shard(key.hash(), self.count)
    }
}

/// More than this many threads at once seldom meet in one of so many shards.
const MOST_SHARDS: u64 = 128;
/// With fewer entries a shard's order of eviction would be mere chance.
const LEAST_ENTRIES: u64 = 512;
/// The same where only the weight is limited.
const LEAST_BYTES: u64 = 4 << 20;

/// How many entries, and how many bytes, at most.
fn limits(arguments: &MemoryArguments) -> (Option<u64>, Option<u64>) {
    let max_entries = match arguments.max_entries {
        MaxEntries::Number(number) => Some(number.get()),
        MaxEntries::Unbounded => None,
    };
    (max_entries, arguments.max_bytes.map(|size| size.0.get()))
}

/// In seconds; 0 for no limit.
fn time_to_idle(arguments: &MemoryArguments) -> u32 {
    arguments.time_to_idle.map_or(0, TimeToIdle::seconds)
}

/// How many shards suit these limits.
fn shards(max_entries: Option<u64>, max_bytes: Option<u64>) -> u32 {
    let by_entries = max_entries.map_or(MOST_SHARDS, |most| most / LEAST_ENTRIES);
    let by_bytes = max_bytes.map_or(MOST_SHARDS, |most| most / LEAST_BYTES);
    let least = by_entries.min(by_bytes).clamp(1, MOST_SHARDS);
    let Some(max_entries) = max_entries.filter(|_| least > 1) else {
        return u32::try_from(least).expect("at most 128");
    };
    // Tables have room for a power of two, up to 7/8 of which is used. As many shards as make full tables 0.82 full:
    // chance makes some fuller.
    let per_shard = max_entries / least;
    let buckets = 1 << (per_shard * 100 / 82).ilog2();
    let count = max_entries.div_ceil(buckets * 82 / 100);
    u32::try_from(count).expect("at most twice as many")
}

#[cfg(test)]
mod tests {
    use super::shards;

    #[test]
    fn small_limits_get_one_shard_and_large_ones_many() {
        assert_eq!(shards(Some(1), None), 1);
        assert_eq!(shards(Some(1000), None), 1);
        assert_eq!(shards(Some(1_000_000), Some(1)), 1);
        assert!((16..=32).contains(&shards(Some(10_000), None)));
        assert!((128..=256).contains(&shards(Some(u64::MAX / 200), None)));
        assert_eq!(shards(None, None), 128);
    }
}
