use crate::fragment::Fragment;

/// Remembers, roughly, what was evicted lately from the small queue: as many as the shard has entries, with sixteen
/// bits for each. A newer one takes the place of an older one with the same index. A wrong memory costs no more than
/// a place in the main queue.
#[derive(Default)]
pub(crate) struct Ghost {
    tags: Box<[u16]>,
}

impl Ghost {
    /// Remembers `fragment` as evicted from a shard with that many entries.
    pub(crate) fn remember(&mut self, fragment: Fragment, entries: usize) {
        if self.tags.len() < entries {
            self.tags = vec![0; entries.next_power_of_two()].into();
        }
        let at = self.index(fragment);
        self.tags[at] = tag(fragment);
    }

    /// Whether it was remembered; it is forgotten by this.
    pub(crate) fn recall(&mut self, fragment: Fragment) -> bool {
        if self.tags.is_empty() {
            return false;
        }
        let at = self.index(fragment);
        let found = self.tags[at] == tag(fragment);
        if found {
            self.tags[at] = 0;
        }
        found
    }

    fn index(&self, fragment: Fragment) -> usize {
        fragment.bits() as usize & (self.tags.len() - 1)
    }
}

/// The upper bits, which the index leaves out in all but the largest shards; never 0, which stands for nothing.
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
        ghost.remember(fragment, 1);
        assert!(ghost.recall(fragment));
        assert!(!ghost.recall(fragment));
    }
}
