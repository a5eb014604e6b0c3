use dogpile_plugin_api::Value;
use hashbrown::HashTable;

use crate::idle::Idle;
use crate::queues::{Queues, find};
use crate::removed::Removed;

/// Looks for entries that nobody can want any more, a few at each store, round and round.
pub(crate) struct Sweep {
    /// No entry is past its `keep_until` before this.
    due: u64,
    /// The same for what this round has seen.
    next_due: u64,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            due: u64::MAX,
            next_due: u64::MAX,
        }
    }
}

/// What decides whether an entry can still be wanted.
#[derive(Clone, Copy)]
pub(crate) struct When {
    /// Nanoseconds since 1970, or 0 if no entry has an end.
    pub(crate) now: u64,
    pub(crate) idle: Option<Idle>,
}

impl When {
    /// Whether anything can be over.
    pub(crate) fn can_be_over(self) -> bool {
        self.now != 0
    }

    pub(crate) fn is_over(&self, value: &Value) -> bool {
        value.is_unwanted(self.now) || self.idle.is_some_and(|idle| idle.is_over(value, self.now))
    }
}

impl Sweep {
    /// Takes note of an entry that comes in.
    pub(crate) fn note(&mut self, value: &Value) {
        let end = value.keep_until();
        if end != 0 {
            self.due = self.due.min(end);
            self.next_due = self.next_due.min(end);
        }
    }

    /// Looks at up to `looks` places, and takes out what is over.
    pub(crate) fn run(
        &mut self,
        queues: &mut Queues,
        table: &mut HashTable<Value>,
        when: When,
        looks: usize,
        removed: &mut Removed,
    ) {
        for _ in 0..looks {
            if when.now < self.due && when.idle.is_none() {
                return;
            }
            let Some(fragment) = queues.next() else {
                self.due = self.next_due;
                self.next_due = u64::MAX;
                continue;
            };
            let Some(entry) = find(table, fragment) else {
                continue;
            };
            if when.is_over(entry.get()) {
                removed.push(entry.remove().0);
            } else {
                let end = entry.get().keep_until();
                if end != 0 {
                    self.next_due = self.next_due.min(end);
                }
            }
        }
    }
}
