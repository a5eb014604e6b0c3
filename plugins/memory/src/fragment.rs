//! Which bits of a key's hash are used for what.

/// The bits that choose a place in a shard's table: the lowest 25, by which `hashbrown` finds a bucket, and the
/// highest 7, by which it tells its neighbours apart. The 32 between them choose the shard.
const IN_TABLE: u64 = !(0xFFFF_FFFF << LOW);
const LOW: u32 = 25;
const HIGH: u32 = 57;

/// The part of a hash that finds an entry in its shard, in half the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fragment(u32);

impl Fragment {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "7 and 25 bits")]
    pub(crate) fn of(hash: u64) -> Self {
        Self((hash >> HIGH << LOW) as u32 | (hash & ((1 << LOW) - 1)) as u32)
    }

    /// What [`in_table`] makes of each hash with this fragment.
    pub(crate) fn in_table(self) -> u64 {
        u64::from(self.0 >> LOW) << HIGH | u64::from(self.0 & ((1 << LOW) - 1))
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }
}

/// The hash of an entry in its shard's table.
#[inline]
pub(crate) fn in_table(hash: u64) -> u64 {
    hash & IN_TABLE
}

/// The shard of a hash, one of `shards`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the 32 bits in the middle")]
pub(crate) fn shard(hash: u64, shards: u32) -> usize {
    let middle = (hash >> LOW) as u32;
    ((u64::from(middle) * u64::from(shards)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_finds_what_the_hash_finds() {
        for hash in [0, u64::MAX, 0x0123_4567_89AB_CDEF, 1 << LOW, 1 << HIGH] {
            assert_eq!(Fragment::of(hash).in_table(), in_table(hash));
        }
    }

    #[test]
    fn the_shard_is_chosen_by_other_bits_than_the_place_in_it() {
        assert_eq!(shard(IN_TABLE, 1000), 0);
        assert_eq!(shard(!IN_TABLE, 1000), 999);
        assert_eq!(in_table(!IN_TABLE), 0);
    }
}
