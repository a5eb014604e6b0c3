//! The names of what is stored beside a value.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::slots::{SLOTS, hashtag, slot};

/// What the name of the note of a deletion begins with, before the key's.
pub(crate) const TOMBSTONE: &str = "_dogpile_del";

/// How those names follow from the key's.
pub(crate) struct Names {
    pub(crate) prefix: String,
    pub(crate) layout: Layout,
}

/// Where a lock and a note lie, seen from the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// On the same server, since there is one.
    OneServer,
    /// In slots of their own, unless the key has a hashtag: dogpile.cache's names in a cluster.
    Apart,
    /// In the value's slot, by a hashtag.
    Hashtag,
}

impl Names {
    /// That of the lock of `key`.
    pub(crate) fn lock(&self, key: &str) -> String {
        self.of(&self.prefix, key)
    }

    /// That of the note that `key` was deleted while its lock was held.
    pub(crate) fn tombstone(&self, key: &str) -> String {
        self.of(TOMBSTONE, key)
    }

    /// Whether a script can have the value, the lock and the note at once, unless some are on their way to another node.
    pub(crate) fn are_together(&self, key: &str) -> bool {
        self.layout != Layout::Apart || hashtag(key.as_bytes()).is_some()
    }

    /// The key whose lock has that name.
    pub(crate) fn key_of<'n>(&self, lock: &'n str) -> Option<&'n str> {
        let rest = lock.strip_prefix(&*self.prefix)?;
        if self.layout != Layout::Hashtag {
            return Some(rest);
        }
        let (_, key) = rest.strip_prefix('{')?.split_once('}')?;
        (self.lock(key) == lock).then_some(key)
    }

    fn of(&self, prefix: &str, key: &str) -> String {
        match self.layout {
            Layout::OneServer | Layout::Apart => format!("{prefix}{key}"),
            Layout::Hashtag => format!("{prefix}{{{}}}{key}", tag(key)),
        }
    }
}

/// What has the slot of `key` when it is in braces. It holds none that closes, so that no two keys have a name in common.
fn tag(key: &str) -> Cow<'_, str> {
    match hashtag(key.as_bytes()).map_or(Ok(key), str::from_utf8) {
        Ok(tag) if !tag.is_empty() && !tag.contains('}') => tag.into(),
        _ => {
            let slot = usize::from(slot(key.as_bytes()));
            NUMBERS[slot].to_string().into()
        }
    }
}

/// For each slot the first number that has it.
static NUMBERS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut numbers = vec![None; SLOTS.into()];
    let mut left = numbers.len();
    for number in 0_u32.. {
        let of_slot = &mut numbers[usize::from(slot(number.to_string().as_bytes()))];
        if of_slot.is_none() {
            *of_slot = Some(number);
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    numbers.into_iter().flatten().collect()
});

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(layout: Layout) -> Names {
        let prefix = String::from("_lock");
        Names { prefix, layout }
    }

    /// All texts of up to five of these.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..5 {
            last = last
                .iter()
                .flat_map(|text| ["{", "}", "a", "b", "é"].map(|more| format!("{text}{more}")))
                .collect();
            texts.extend(last.iter().cloned());
        }
        texts
    }

    #[test]
    fn by_a_hashtag_all_names_of_a_key_are_in_its_slot_and_no_other_keys() {
        let names = names(Layout::Hashtag);
        let mut all = HashSet::new();
        for key in texts() {
            let slot_of_key = slot(key.as_bytes());
            let [lock, note] = [names.lock(&key), names.tombstone(&key)];
            assert_eq!(slot(lock.as_bytes()), slot_of_key, "{lock}");
            assert_eq!(slot(note.as_bytes()), slot_of_key, "{note}");
            assert_eq!(names.key_of(&lock), Some(&*key));
            assert!(names.are_together(&key) && all.insert(lock) && all.insert(note));
        }
        for none in ["_lock", "_lock{", "_lock{a}", "_lock{a}b", "lock{a}a"] {
            assert_eq!(names.key_of(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_together_in_a_cluster_is_in_one_slot() {
        let names = names(Layout::Apart);
        let mut together = 0;
        for key in texts() {
            assert_eq!(names.lock(&key), format!("_lock{key}"));
            assert_eq!(names.key_of(&names.lock(&key)), Some(&*key));
            if names.are_together(&key) {
                together += 1;
                let slots = [&*key, &names.lock(&key), &names.tombstone(&key)]
                    .map(|name| slot(name.as_bytes()));
                assert!(slots.iter().all(|slot| *slot == slots[0]), "{key}");
            }
        }
        assert!(together > 100);
    }
}
