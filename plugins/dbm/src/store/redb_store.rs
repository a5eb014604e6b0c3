use redb::{
    Database, ReadableDatabase, ReadableTable, Table, TableError, TableHandle, WriteTransaction,
};

use super::index::{self, Index};
use super::room::room_of;
use super::tables::{INDEX, VALUES};
use super::{Change, Entry, Removed, Store, Totals};
use crate::failure::Failure;
use crate::record::Record;

/// How many entries past their end a write removes at most.
const BATCH: usize = 16;

/// How many entries a write removes at most to make room, unless it adds more room than they have.
const MOST_EVICTED: u64 = 64;

/// The entries in a file of redb.
pub(crate) struct RedbStore {
    database: Database,
    /// What all entries may take.
    room: u64,
}

impl RedbStore {
    /// Takes over an open file, and makes its tables if it is a new one. `Foreign`: it has tables, but not these.
    pub(crate) fn new(database: Database, room: u64) -> Result<Self, Failure> {
        let names = {
            let transaction = database.begin_read().map_err(redb::Error::from)?;
            let tables = transaction.list_tables().map_err(redb::Error::from)?;
            tables
                .map(|table| table.name().to_owned())
                .collect::<Vec<_>>()
        };
        let has = |name: &str| names.iter().any(|own| own == name);
        if !has(VALUES.name()) || !has(INDEX.name()) {
            if !names.is_empty() {
                return Err(Failure::Foreign(
                    "it is a redb file of another program".to_owned(),
                ));
            }
            // Only then is anything written: a full disk must not keep a file from being read.
            let transaction = begin_write(&database)?;
            open(&transaction)?;
            commit(transaction)?;
        }
        Ok(Self { database, room })
    }

    /// Moves what there is to the front of the file and gives the rest back to the disk. Not while it is used.
    pub(crate) fn compact(&mut self) -> Result<(), Failure> {
        match self.database.compact() {
            Ok(_) | Err(redb::CompactionError::TransactionInProgress) => Ok(()),
            Err(error) => Err(redb::Error::from(error).into()),
        }
    }
}

impl Store for RedbStore {
    fn read(
        &self,
        keys: &[&[u8]],
        now: u64,
        found: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), Failure> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let values = transaction.open_table(VALUES).map_err(redb::Error::from)?;
        for (at, key) in keys.iter().enumerate() {
            let Some(held) = values.get(*key)? else {
                continue;
            };
            match Record::decode(key, held.value()) {
                Some(record) if !(1..=now).contains(&record.keep_until) => found(at, record.bytes),
                Some(_) => {}
                None => dogpile_plugin_api::tracing::warn!(
                    "a stored value is damaged, and counts as missing"
                ),
            }
        }
        Ok(())
    }

    fn write(&self, change: &Change<'_>, now: u64) -> Result<Removed, Failure> {
        let transaction = begin_write(&self.database)?;
        if let Change::Clear = change {
            for deleted in [
                transaction.delete_table(VALUES),
                transaction.delete_table(INDEX),
            ] {
                deleted.map_err(redb::Error::from)?;
            }
        }
        let removed = {
            let (values, index) = open(&transaction)?;
            let totals = index.totals()?;
            let mut writing = Writing {
                values,
                index,
                totals,
                room: self.room,
                added: 0,
            };
            match change {
                Change::Set(entries) => writing.set(entries)?,
                Change::Delete(keys) => keys.iter().try_for_each(|key| writing.delete(key))?,
                Change::Clear => {}
            }
            let removed = Removed {
                expired: writing.purge(now)?,
                evicted: writing.evict()?,
            };
            writing.index.set_totals(writing.totals)?;
            removed
        };
        commit(transaction)?;
        Ok(removed)
    }

    fn keys(&self, now: u64) -> Result<Vec<String>, Failure> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let values = transaction.open_table(VALUES).map_err(redb::Error::from)?;
        let mut keys = Vec::new();
        for entry in values.iter()? {
            let (key, held) = entry?;
            let wanted = Record::decode(key.value(), held.value())
                .is_some_and(|record| !(1..=now).contains(&record.keep_until));
            if let (true, Ok(key)) = (wanted, str::from_utf8(key.value())) {
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }

    fn totals(&self) -> Result<Totals, Failure> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let index = transaction.open_table(INDEX).map_err(redb::Error::from)?;
        Ok(index::totals(&index)?)
    }
}

fn begin_write(database: &Database) -> Result<WriteTransaction, Failure> {
    Ok(database.begin_write().map_err(redb::Error::from)?)
}

fn commit(transaction: WriteTransaction) -> Result<(), Failure> {
    Ok(transaction.commit().map_err(redb::Error::from)?)
}

type Tables<'txn> = (Table<'txn, &'static [u8], &'static [u8]>, Index<'txn>);

fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, Failure> {
    let opened = |error: TableError| Failure::from(redb::Error::from(error));
    let values = transaction.open_table(VALUES).map_err(opened)?;
    let index = Index(transaction.open_table(INDEX).map_err(opened)?);
    Ok((values, index))
}

/// The tables in the middle of a change.
struct Writing<'txn> {
    values: Table<'txn, &'static [u8], &'static [u8]>,
    index: Index<'txn>,
    totals: Totals,
    room: u64,
    /// The room of what was added.
    added: u64,
}

impl Writing<'_> {
    fn set(&mut self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        let mut encoded = Vec::new();
        let most = self.room;
        let fits = |room: &u64| *room <= most;
        let mut left: u64 = entries.iter().map(room_of).filter(fits).sum();
        for entry in entries {
            let room = room_of(entry);
            if !fits(&room) {
                dogpile_plugin_api::tracing::warn!(
                    bytes = entry.bytes.len(),
                    room,
                    "a value that takes more room than `max_bytes` is not stored"
                );
                self.delete(entry.key)?;
                continue;
            }
            let has_to_go = left > most;
            left -= room;
            // Those behind it take its room.
            if has_to_go {
                self.delete(entry.key)?;
                continue;
            }
            self.added += room;
            let number = self.totals.next;
            self.totals.next = number.wrapping_add(1);
            let record = Record {
                number,
                keep_until: entry.keep_until,
                bytes: entry.bytes,
            };
            record.encode(entry.key, &mut encoded);
            let replaced = self.values.insert(entry.key, &encoded[..])?;
            let replaced = replaced.and_then(|held| place(entry.key, held.value()));
            if let Some((number, keep_until)) = replaced {
                self.forget(number, keep_until)?;
            }
            self.index.add(number, entry.keep_until, room, entry.key)?;
            self.totals.add(room);
        }
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), Failure> {
        let removed = self.values.remove(key)?;
        let removed = removed.and_then(|held| place(key, held.value()));
        match removed {
            Some((number, keep_until)) => self.forget(number, keep_until),
            None => Ok(()),
        }
    }

    /// Takes an entry that is gone out of the index. That of a damaged one stays, until its turn to go comes.
    fn forget(&mut self, number: u64, keep_until: u64) -> Result<(), Failure> {
        if let Some(aged) = self.index.take(number)? {
            self.totals.subtract(aged.room);
        }
        Ok(self.index.forget_end(keep_until, number)?)
    }

    fn purge(&mut self, now: u64) -> Result<u64, Failure> {
        let ended = self.index.ended(now, BATCH)?;
        for (keep_until, number) in &ended {
            self.index.forget_end(*keep_until, *number)?;
            if let Some(aged) = self.index.take(*number)? {
                self.totals.subtract(aged.room);
                self.remove(aged.number, &aged.key)?;
            }
        }
        Ok(ended.len() as u64)
    }

    fn evict(&mut self) -> Result<u64, Failure> {
        let (mut evicted, mut freed) = (0, 0);
        // In steps where the limit was lowered: other writers wait meanwhile.
        while self.totals.bytes > self.room && (evicted < MOST_EVICTED || freed < self.added) {
            let Some(aged) = self.index.take_oldest()? else {
                return Err(Failure::Damaged(
                    "it counts bytes of entries that are not there".to_owned(),
                ));
            };
            self.totals.subtract(aged.room);
            freed += aged.room;
            if let Some(keep_until) = self.remove(aged.number, &aged.key)? {
                self.index.forget_end(keep_until, aged.number)?;
            }
            evicted += 1;
        }
        Ok(evicted)
    }

    /// Removes the entry under that key if it is the one of that number, and tells its end.
    fn remove(&mut self, number: u64, key: &[u8]) -> Result<Option<u64>, Failure> {
        let found = self.values.get(key)?;
        let found = found.map(|held| place(key, held.value()));
        match found {
            Some(Some((own, keep_until))) if own == number => {
                self.values.remove(key)?;
                Ok(Some(keep_until))
            }
            // Damaged, whichever it is: it would never be given to anybody.
            Some(None) => {
                self.values.remove(key)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// Number and end of a record that can be read.
fn place(key: &[u8], held: &[u8]) -> Option<(u64, u64)> {
    Record::decode(key, held).map(|record| (record.number, record.keep_until))
}
