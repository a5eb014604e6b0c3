//! What a function of several keys returns.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

/// A value for each of several keys of type `K`.
#[diagnostic::on_unimplemented(
    message = "a `cached_multi` function with keys of type `{K}` cannot return a `{Self}`",
    label = "no value for each key",
    note = "it returns a `Vec<V>` with a value for each key in their order, or a `HashMap<{K}, V>` or `BTreeMap<{K}, V>`"
)]
pub trait Batch<K> {
    /// One value.
    type Value;
    /// The same collection of others.
    type Of<U>;

    /// The values of `keys`, in their order; `None` for those that there is none of.
    fn into_values(self, keys: &[K]) -> Vec<Option<Self::Value>>;

    /// Whether that many of the values make a collection.
    fn is_whole<U>(values: &[Option<U>]) -> bool;

    /// A whole collection, of values in the order of `keys`.
    fn gather<U>(keys: &[K], values: Vec<Option<U>>) -> Self::Of<U>;
}

impl<K, V> Batch<K> for Vec<V> {
    type Value = V;
    type Of<U> = Vec<U>;

    fn into_values(self, keys: &[K]) -> Vec<Option<V>> {
        assert!(
            self.len() == keys.len(),
            "a function that is cached for each of {} keys returned {} values: it must return one for each, in their \
             order; return a map if there may be none for some",
            keys.len(),
            self.len()
        );
        self.into_iter().map(Some).collect()
    }

    fn is_whole<U>(values: &[Option<U>]) -> bool {
        values.iter().all(Option::is_some)
    }

    fn gather<U>(_: &[K], values: Vec<Option<U>>) -> Vec<U> {
        values.into_iter().flatten().collect()
    }
}

impl<K: Hash + Eq + Clone, V, S: BuildHasher + Default> Batch<K> for HashMap<K, V, S> {
    type Value = V;
    type Of<U> = HashMap<K, U, S>;

    fn into_values(mut self, keys: &[K]) -> Vec<Option<V>> {
        keys.iter().map(|key| self.remove(key)).collect()
    }

    fn is_whole<U>(_: &[Option<U>]) -> bool {
        true
    }

    fn gather<U>(keys: &[K], values: Vec<Option<U>>) -> HashMap<K, U, S> {
        there_are(keys, values).collect()
    }
}

impl<K: Ord + Clone, V> Batch<K> for BTreeMap<K, V> {
    type Value = V;
    type Of<U> = BTreeMap<K, U>;

    fn into_values(mut self, keys: &[K]) -> Vec<Option<V>> {
        keys.iter().map(|key| self.remove(key)).collect()
    }

    fn is_whole<U>(_: &[Option<U>]) -> bool {
        true
    }

    fn gather<U>(keys: &[K], values: Vec<Option<U>>) -> BTreeMap<K, U> {
        there_are(keys, values).collect()
    }
}

fn there_are<K: Clone, U>(keys: &[K], values: Vec<Option<U>>) -> impl Iterator<Item = (K, U)> {
    let pairs = keys.iter().zip(values);
    pairs.filter_map(|(key, value)| Some((key.clone(), value?)))
}
