use super::Entry;
use crate::record::Record;

/// What redb reads and writes at once.
const PAGE: u64 = 4096;

/// What the index takes of an entry, beside its key.
const OVERHEAD: u64 = 100;

/// From this size on an entry has pages of its own.
const LARGE: u64 = 1_300;

/// What an entry counts against the limit: about the room that it takes in the file, where pages with several entries
/// are half full, and an entry with pages of its own has a power of two of them.
pub(super) fn room_of(entry: &Entry<'_>) -> u64 {
    let key = entry.key.len() as u64;
    let value = key + Record::length(entry.bytes) as u64;
    if value < LARGE {
        2 * (value + key + OVERHEAD)
    } else if key < LARGE {
        pages(value) + key + OVERHEAD
    } else {
        // In the index too, and in the pages that lead to it.
        pages(value) + 2 * pages(key + OVERHEAD)
    }
}

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE).next_power_of_two() * PAGE
}
