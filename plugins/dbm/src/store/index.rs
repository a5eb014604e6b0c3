//! By what entries are found that must go: their end, or their age. Here the totals stand too.
//!
//! | place | holds |
//! |---|---|
//! | `(ENDS, keep_until, number)` | nothing: the entry of that number ends then |
//! | `(AGES, number, 0)` | the room it takes, and its key |
//! | `(TOTALS, 0, 0)` | the totals |

use redb::{ReadableTable, Table};

use super::totals::Totals;
use crate::failure::Failure;

type Place = (u8, u64, u64);

const ENDS: u8 = 0;
const AGES: u8 = 1;
/// Behind the youngest entry, in the page that a store changes anyway.
const TOTALS: Place = (2, 0, 0);

pub(super) struct Index<'txn>(pub(super) Table<'txn, Place, &'static [u8]>);

/// An entry as the order of ages knows it.
pub(super) struct Aged {
    pub(super) number: u64,
    pub(super) room: u64,
    pub(super) key: Vec<u8>,
}

impl Aged {
    fn decode(number: u64, held: &[u8]) -> Self {
        // One that cannot be read has no key that there is.
        let (room, key) = held.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        Self {
            number,
            room: u64::from_le_bytes(*room),
            key: key.to_vec(),
        }
    }
}

impl Index<'_> {
    pub(super) fn totals(&self) -> Result<Totals, redb::Error> {
        totals(&self.0)
    }

    pub(super) fn set_totals(&mut self, totals: Totals) -> Result<(), redb::Error> {
        self.0.insert(TOTALS, &totals.encode()[..])?;
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        number: u64,
        keep_until: u64,
        room: u64,
        key: &[u8],
    ) -> Result<(), redb::Error> {
        let held = [&room.to_le_bytes()[..], key].concat();
        self.0.insert((AGES, number, 0), &held[..])?;
        if keep_until != 0 {
            self.0.insert((ENDS, keep_until, number), &[][..])?;
        }
        Ok(())
    }

    /// Takes the entry of that number out of the order of ages.
    pub(super) fn take(&mut self, number: u64) -> Result<Option<Aged>, redb::Error> {
        let taken = self.0.remove((AGES, number, 0))?;
        Ok(taken.map(|held| Aged::decode(number, held.value())))
    }

    /// Takes it out of the order of ends.
    pub(super) fn forget_end(&mut self, keep_until: u64, number: u64) -> Result<(), redb::Error> {
        if keep_until != 0 {
            self.0.remove((ENDS, keep_until, number))?;
        }
        Ok(())
    }

    /// The numbers of so many entries that ended by `now`, with their ends, the earliest first.
    pub(super) fn ended(&self, now: u64, most: usize) -> Result<Vec<(u64, u64)>, redb::Error> {
        let ended = self.0.range((ENDS, 0, 0)..=(ENDS, now, u64::MAX))?;
        ended
            .take(most)
            .map(|entry| {
                let (_, keep_until, number) = entry?.0.value();
                Ok((keep_until, number))
            })
            .collect()
    }

    /// Takes the oldest entry out of the order of ages.
    pub(super) fn take_oldest(&mut self) -> Result<Option<Aged>, redb::Error> {
        let oldest = self
            .0
            .range((AGES, 0, 0)..=(AGES, u64::MAX, u64::MAX))?
            .next();
        let Some(oldest) = oldest.transpose()? else {
            return Ok(None);
        };
        let (_, number, _) = oldest.0.value();
        drop(oldest);
        self.take(number)
    }
}

pub(super) fn totals(
    index: &impl ReadableTable<Place, &'static [u8]>,
) -> Result<Totals, redb::Error> {
    match index.get(TOTALS)? {
        None => Ok(Totals::default()),
        Some(held) => Totals::decode(held.value())
            .ok_or_else(|| redb::Error::Corrupted("the totals cannot be read".to_owned())),
    }
}

impl From<redb::StorageError> for Failure {
    fn from(error: redb::StorageError) -> Self {
        redb::Error::from(error).into()
    }
}
