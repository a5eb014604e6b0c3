//! The values of a refresh of several keys.

use super::places::Places;
use crate::region::Cached;

/// The values that are to be stored, with their keys.
pub(super) struct ToStore<'a, T> {
    pub(super) keys: Vec<&'a str>,
    pub(super) values: Vec<T>,
}

/// All values, with gaps for those that are to be stored.
pub(super) struct Renewed<T> {
    cached: Vec<Option<Cached<T>>>,
    gaps: Vec<usize>,
}

impl<T: Send + Sync + 'static> Renewed<T> {
    /// Takes those out that `keep` says are to be stored.
    pub(super) fn sort<'a>(
        places: &'a Places<'_>,
        made: Vec<Option<T>>,
        keep: impl Fn(&T) -> bool,
    ) -> (ToStore<'a, T>, Self) {
        let (keys, values) = (Vec::new(), Vec::new());
        let mut to_store = ToStore { keys, values };
        let (cached, gaps) = (Vec::with_capacity(made.len()), Vec::new());
        let mut renewed = Self { cached, gaps };
        for (at, (key, value)) in places.keys.iter().zip(made).enumerate() {
            let own = match value {
                Some(value) if keep(&value) => {
                    to_store.keys.push(&**key);
                    to_store.values.push(value);
                    renewed.gaps.push(at);
                    None
                }
                value => value.map(Cached::uncached),
            };
            renewed.cached.push(own);
        }
        (to_store, renewed)
    }

    /// All of them, when those that were to be stored are.
    pub(super) fn with(mut self, stored: Vec<Cached<T>>) -> Vec<Option<Cached<T>>> {
        for (at, value) in self.gaps.into_iter().zip(stored) {
            self.cached[at] = Some(value);
        }
        self.cached
    }
}
