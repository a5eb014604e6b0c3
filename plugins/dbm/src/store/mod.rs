//! Entries in a file: what the rest of the backend asks of it.

mod index;
mod redb_store;
mod room;
mod tables;
mod totals;

pub(crate) use self::redb_store::RedbStore;
pub(crate) use self::totals::Totals;
use crate::failure::Failure;

/// An open file of entries. A call sees or makes all of its changes or none, whatever other processes do.
pub(crate) trait Store: Send + Sync {
    /// Gives the bytes of each key that is there, is whole, and may still be wanted at `now`, with the key's place.
    fn read(
        &self,
        keys: &[&[u8]],
        now: u64,
        found: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), Failure>;

    /// Makes the change, and purges some of what nobody may want at `now`.
    fn write(&self, change: &Change<'_>, now: u64) -> Result<Removed, Failure>;

    /// The keys of entries that are whole and may still be wanted at `now`.
    fn keys(&self, now: u64) -> Result<Vec<String>, Failure>;

    /// What there is.
    fn totals(&self) -> Result<Totals, Failure>;
}

/// A change, all at once.
pub(crate) enum Change<'a> {
    /// Of two entries of one key the last stays.
    Set(&'a [Entry<'a>]),
    Delete(&'a [&'a [u8]]),
    Clear,
}

pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) bytes: &'a [u8],
    /// In nanoseconds since 1970; 0: never.
    pub(crate) keep_until: u64,
}

/// What a change removed beside what it was asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// To make room.
    pub(crate) evicted: u64,
    /// Past their `keep_until`.
    pub(crate) expired: u64,
}
