//! What this backend keeps in the mark of each value: how often it was asked for lately, and when last.
//!
//! Marks are hints. A hit writes them under a shared lock, so one of two hits at a time may be lost, and a value that
//! two instances hold has one mark for both.

use std::sync::atomic::{AtomicU32, Ordering};

/// The lowest two bits count hits, up to this many.
const MOST: u32 = 3;
const SECONDS: u32 = 4;

/// Counts a hit. A value that is asked for often is only read, so that its cache line's owner does not change.
#[inline]
pub(crate) fn hit(mark: &AtomicU32) {
    let bits = mark.load(Ordering::Relaxed);
    if bits & MOST != MOST {
        mark.store(bits + 1, Ordering::Relaxed);
    }
}

/// Counts a hit at a time, in seconds as [`last`] gives them.
#[inline]
pub(crate) fn hit_at(mark: &AtomicU32, seconds: u32) {
    let bits = mark.load(Ordering::Relaxed);
    let hits = (bits & MOST).saturating_add(1).min(MOST);
    let new = seconds << SECONDS | hits;
    if new != bits {
        mark.store(new, Ordering::Relaxed);
    }
}

/// When it was last asked for, in seconds, without the highest four bits.
#[inline]
pub(crate) fn last(mark: &AtomicU32) -> u32 {
    mark.load(Ordering::Relaxed) >> SECONDS
}

/// How many hits it has to its credit.
pub(crate) fn hits(mark: &AtomicU32) -> u32 {
    mark.load(Ordering::Relaxed) & MOST
}

/// Takes one hit off.
pub(crate) fn spend(mark: &AtomicU32) {
    let bits = mark.load(Ordering::Relaxed);
    if bits & MOST != 0 {
        mark.store(bits - 1, Ordering::Relaxed);
    }
}

/// Takes all hits off.
pub(crate) fn spend_all(mark: &AtomicU32) {
    mark.store(mark.load(Ordering::Relaxed) & !MOST, Ordering::Relaxed);
}

/// Begins a value's stay, with the hits of the one whose place it takes.
pub(crate) fn begin(mark: &AtomicU32, seconds: u32, hits: u32) {
    mark.store(seconds << SECONDS | hits, Ordering::Relaxed);
}
