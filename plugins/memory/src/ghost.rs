use crate::fragment::Fragment;

/// Remembers what was evicted lately from the small queue: about as many as the shard has entries, with sixteen bits
/// for each. A wrong memory costs no more than a place in the main queue.
#[derive(Default)]
pub(crate) struct Ghost {
    buckets: Box<[Bucket]>,
}

/// The newest first. A single place for each index would let two keys of a loop push each other out for ever.
type Bucket = [u16; WAYS];

const WAYS: usize = 8;
/// The tag of nothing.
const EMPTY: u16 = 0;

impl Ghost {
    /// Remembers `fragment` as evicted from a shard with that many entries.
    pub(crate) fn remember(&mut self, fragment: Fragment, entries: usize) {
        if self.buckets.len() * WAYS < entries || self.buckets.is_empty() {
            let buckets = entries.div_ceil(WAYS).next_power_of_two();
            self.buckets = vec![[EMPTY; WAYS]; buckets].into();
        }
        if let Some(bucket) = self.bucket(fragment) {
            bucket.rotate_right(1);
            bucket[0] = tag(fragment);
        }
    }

    /// Whether it was remembered; it is forgotten by this.
    pub(crate) fn recall(&mut self, fragment: Fragment) -> bool {
        let tag = tag(fragment);
        let found = self
            .bucket(fragment)
            .and_then(|bucket| bucket.iter_mut().find(|other| **other == tag));
        match found {
            Some(found) => {
                *found = EMPTY;
                true
            }
            None => false,
        }
    }

    fn bucket(&mut self, fragment: Fragment) -> Option<&mut Bucket> {
        let mask = self.buckets.len().wrapping_sub(1);
        self.buckets.get_mut(fragment.bits() as usize & mask)
    }
}

/// The upper bits, which the index leaves out in all but the largest shards.
fn tag(fragment: Fragment) -> u16 {
    let upper = (fragment.bits() >> 16) as u16;
    upper | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_recalled_once() {
        let mut ghost = Ghost::default();
        let fragment = Fragment::of(0);
        assert!(!ghost.recall(fragment));
        ghost.remember(fragment, 0);
        assert!(ghost.recall(fragment));
        assert!(!ghost.recall(fragment));
    }

    #[test]
    fn most_of_as_many_as_there_are_entries_are_remembered() {
        let mut ghost = Ghost::default();
        let fragment =
            |number: u64| Fragment::of(number.wrapping_mul(0x9E37_79B9_7F4A_7C15).swap_bytes());
        for number in 0..1000 {
            ghost.remember(fragment(number), 1000);
        }
        let recalled = (0..1000)
            .filter(|number| ghost.recall(fragment(*number)))
            .count();
        assert!(recalled > 850, "{recalled}");
    }
}
