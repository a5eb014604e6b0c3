//! Stores and deletions that heed creation locks.
//!
//! Where a lock and the note of a deletion are on the value's server for sure, each is one step, by a script. Where they are
//! in slots of their own, neither can be:
//!
//! - A deletion leaves its note first, and then deletes.
//! - A store looks at lock and note, stores, and looks again; if the lock was lost meanwhile, or the deletion noted, it takes
//!   back what it stored. So a deletion either comes after the store, or was noted before the second look.
//!
//! What is stored in vain can be read until it is taken back.

use dogpile_plugin_api::{Guarded, Result};
use redis::{Cmd, Value};

use crate::connection::accepted;
use crate::failure::{Answer, Failure};
use crate::locks::Locks;
use crate::many::Request;
use crate::script::{DELETE, STORE, UNDO, number};

/// What is to be stored under a lease.
pub(crate) struct Entry<'e> {
    pub(crate) key: &'e str,
    pub(crate) bytes: &'e [u8],
    /// How long it is kept; 0: for ever.
    pub(crate) milliseconds: u64,
    pub(crate) token: String,
}

/// A command that reads.
pub(crate) fn get(name: &str) -> Cmd {
    let mut command = redis::cmd("GET");
    command.arg(name);
    command
}

/// A command that stores.
pub(crate) fn set(key: &str, bytes: &[u8], milliseconds: u64) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(bytes);
    if milliseconds != 0 {
        command.arg("PX").arg(milliseconds);
    }
    command
}

/// The reply to it.
pub(crate) fn stored(reply: Value) -> Answer<()> {
    match accepted(reply)? {
        Value::Okay => Ok(()),
        _ => Err(Failure::Nonsense),
    }
}

impl Locks {
    /// Stores those whose locks are still held, and whose keys nobody deleted meanwhile.
    pub(crate) fn store(&self, entries: &[Entry<'_>]) -> Result<Vec<Guarded>> {
        let is_together = |entry: &Entry<'_>| self.names.are_together(entry.key);
        if entries.iter().all(is_together) {
            return self.store_together(entries.iter());
        }
        let (together, apart): (Vec<usize>, Vec<usize>) =
            (0..entries.len()).partition(|place| is_together(&entries[*place]));
        let mut outcomes = vec![Guarded::LeaseLost; entries.len()];
        let done = self.store_together(together.iter().map(|place| &entries[*place]))?;
        for (place, outcome) in together.into_iter().zip(done) {
            outcomes[place] = outcome;
        }
        self.store_apart(entries, apart, &mut outcomes)?;
        Ok(outcomes)
    }

    fn store_together<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry<'e>>,
    ) -> Result<Vec<Guarded>> {
        let calls = entries.map(|entry| {
            let (lock, note) = (self.names.lock(entry.key), self.names.tombstone(entry.key));
            let milliseconds = entry.milliseconds.to_string();
            let call = STORE.call(
                &[entry.key.as_bytes(), lock.as_bytes(), note.as_bytes()],
                &[
                    entry.token.as_bytes(),
                    entry.bytes,
                    milliseconds.as_bytes(),
                ],
            );
            self.servers.request(entry.key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        self.servers
            .write_all(&calls, Some(&STORE), |_, reply| {
                match number(accepted(reply)?)? {
                    0 => Ok(Guarded::LeaseLost),
                    1 => Ok(Guarded::Stored),
                    2 => Ok(Guarded::Deleted),
                    _ => Err(Failure::Nonsense),
                }
            })
    }

    fn store_apart(
        &self,
        entries: &[Entry<'_>],
        mut places: Vec<usize>,
        outcomes: &mut [Guarded],
    ) -> Result<()> {
        self.look(entries, &places, outcomes)?;
        places.retain(|place| outcomes[*place] == Guarded::Stored);
        let sets = places.iter().map(|place| {
            let Entry {
                key,
                bytes,
                milliseconds,
                ..
            } = entries[*place];
            self.servers
                .request(key.as_bytes(), set(key, bytes, milliseconds))
        });
        let sets: Vec<Request> = sets.collect();
        let set = self
            .servers
            .write_all(&sets, None, |_, reply| stored(reply));
        let looked = set.and_then(|_| self.look(entries, &places, outcomes));
        if looked.is_ok() {
            places.retain(|place| outcomes[*place] != Guarded::Stored);
        }
        // All of them, if it is not known which.
        let undone = self.take_back(entries, &places);
        looked.and(undone)
    }

    /// How it is with the locks of those.
    fn look(
        &self,
        entries: &[Entry<'_>],
        places: &[usize],
        outcomes: &mut [Guarded],
    ) -> Result<()> {
        let names = places.iter().flat_map(|place| {
            let key = entries[*place].key;
            [self.names.lock(key), self.names.tombstone(key)]
        });
        let gets = names.map(|name| self.get(&name));
        let gets: Vec<Request> = gets.collect();
        let found = self.servers.read_all(&gets, |at, reply| {
            let token = &entries[places[at / 2]].token;
            Ok(found(reply)?.is_some_and(|found| found == token.as_bytes()))
        })?;
        for (place, of_place) in places.iter().zip(found.chunks_exact(2)) {
            outcomes[*place] = match of_place {
                [true, false] => Guarded::Stored,
                [true, true] => Guarded::Deleted,
                _ => Guarded::LeaseLost,
            };
        }
        Ok(())
    }

    fn take_back(&self, entries: &[Entry<'_>], places: &[usize]) -> Result<()> {
        let calls = places.iter().map(|place| {
            let Entry { key, bytes, .. } = entries[*place];
            let call = UNDO.call(&[key.as_bytes()], &[bytes]);
            self.servers.request(key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        let done = self.servers.write_all(&calls, Some(&UNDO), |_, reply| {
            number(accepted(reply)?).map(drop)
        });
        done.map(drop)
    }

    /// Deletes, and notes it for those who create these keys.
    pub(crate) fn delete(&self, keys: &[&str]) -> Result<()> {
        if keys.iter().all(|key| self.names.are_together(key)) {
            return self.delete_together(keys);
        }
        let (together, apart): (Vec<&str>, Vec<&str>) =
            keys.iter().partition(|key| self.names.are_together(key));
        self.delete_together(&together)?;
        let noted = self.note(&apart);
        // A server without memory deletes all the same.
        let deleted = self.remove(&apart);
        noted.and(deleted)
    }

    fn delete_together(&self, keys: &[&str]) -> Result<()> {
        let calls = keys.iter().map(|key| {
            let (lock, note) = (self.names.lock(key), self.names.tombstone(key));
            let call = DELETE.call(&[key.as_bytes(), lock.as_bytes(), note.as_bytes()], &[]);
            self.servers.request(key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        let done = self.servers.write_all(&calls, Some(&DELETE), |_, reply| {
            number(accepted(reply)?).map(drop)
        });
        done.map(drop)
    }

    /// Deletes, whoever creates these keys.
    pub(crate) fn remove(&self, keys: &[&str]) -> Result<()> {
        let delete = |keys: &[&str]| {
            let mut command = redis::cmd("DEL");
            command.arg(keys);
            self.servers.request(keys[0].as_bytes(), command)
        };
        // Where keys are parted, each for itself: some may be on their way.
        let is_parted = keys.first().is_some_and(|key| self.servers.slot(key.as_bytes()).is_some());
        let at_once = if is_parted { 1 } else { keys.len().max(1) };
        let deletes: Vec<Request> = keys.chunks(at_once).map(delete).collect();
        let done = self.servers.write_all(&deletes, None, |_, reply| {
            number(accepted(reply)?).map(drop)
        });
        done.map(drop)
    }

    /// Leaves notes for those who have the locks, for as long as these are theirs.
    fn note(&self, keys: &[&str]) -> Result<()> {
        let asked = keys.iter().flat_map(|key| {
            let lock = self.names.lock(key);
            let mut left = redis::cmd("PTTL");
            left.arg(&lock);
            let left = self.servers.request(lock.as_bytes(), left);
            [self.get(&lock), left]
        });
        let asked: Vec<Request> = asked.collect();
        let held = self.servers.read_all(&asked, |at, reply| match at % 2 {
            0 => Ok((found(reply)?, 0)),
            _ => Ok((None, number(accepted(reply)?)?)),
        })?;
        let mut notes = Vec::new();
        for (key, held) in keys.iter().zip(held.chunks_exact(2)) {
            if let [(Some(token), _), (_, left @ 1..)] = held {
                let note = self.names.tombstone(key);
                let command = set(&note, token, left.unsigned_abs());
                notes.push(self.servers.request(note.as_bytes(), command));
            }
        }
        let done = self
            .servers
            .write_all(&notes, None, |_, reply| stored(reply));
        done.map(drop)
    }

    pub(crate) fn get(&self, name: &str) -> Request {
        self.servers.request(name.as_bytes(), get(name))
    }
}

/// What is under a name.
pub(crate) fn found(reply: Value) -> Answer<Option<Vec<u8>>> {
    match accepted(reply) {
        Ok(Value::Nil) => Ok(None),
        Ok(Value::BulkString(bytes)) => Ok(Some(bytes)),
        Ok(_) => Err(Failure::Nonsense),
        Err(failure) if is_no_value(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether there is a list or the like, which another program stored: no value of ours, as MGET says too.
pub(crate) fn is_no_value(failure: &Failure) -> bool {
    failure.is_code("WRONGTYPE")
}
