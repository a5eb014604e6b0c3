use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use dogpile_plugin_api::tracing::warn;
use parking_lot::Mutex;

/// Keys that were changed or deleted while a server could not be told: what it has of them is old. They are deleted there
/// before it is asked again.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    any: AtomicBool,
    keys: Mutex<HashSet<Box<str>>>,
}

/// So many are remembered of a server.
const MOST: usize = 100_000;

impl Missed {
    pub(crate) fn add(&self, key: &str) {
        let mut keys = self.keys.lock();
        if keys.len() < MOST {
            keys.insert(key.into());
        } else if !keys.contains(key) {
            drop(keys);
            warn!(
                "a server is away that missed changes of {MOST} keys: of further ones it may have old values when it \
                 is back"
            );
            return;
        }
        self.any.store(true, Ordering::Release);
    }

    /// All of them, which are forgotten.
    pub(crate) fn take(&self) -> HashSet<Box<str>> {
        if !self.any.load(Ordering::Acquire) {
            return HashSet::new();
        }
        let mut keys = self.keys.lock();
        self.any.store(false, Ordering::Release);
        mem::take(&mut *keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_remembered_once_and_up_to_a_limit() {
        let missed = Missed::default();
        assert!(missed.take().is_empty());
        missed.add("a");
        missed.add("a");
        missed.add("b");
        assert_eq!(missed.take(), HashSet::from(["a".into(), "b".into()]));
        assert!(missed.take().is_empty());
        for number in 0..=MOST {
            missed.add(&number.to_string());
        }
        assert_eq!(missed.take().len(), MOST);
    }
}
