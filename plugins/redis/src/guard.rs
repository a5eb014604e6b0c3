//! Stores and deletions that heed creation locks.
//!
//! Where a lock and the note of a deletion are on the value's server, each is one step, by a script. Where they are in slots
//! of their own, or on their way to another node, neither can be:
//!
//! - A deletion leaves its note first, and then deletes.
//! - A store looks at lock and note, stores, and looks again; if the lock was lost meanwhile, or the deletion noted, it takes
//!   back what it stored. So a deletion either comes after the store, or was noted before the second look.
//!
//! What is stored in vain can be read until it is taken back.

use std::time::Instant;

use dogpile_plugin_api::{Error, Guarded, Result};
use redis::{Cmd, Value};

use crate::connection::accepted;
use crate::failure::{Answer, Failure};
use crate::inquiry::left;
use crate::locks::Locks;
use crate::many::{Request, unless_split};
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
    let mut command = Cmd::with_capacity(2, name.len() + 3);
    command.arg("GET").arg(name);
    command
}

/// A command that stores.
pub(crate) fn set(key: &str, bytes: &[u8], milliseconds: u64) -> Cmd {
    let mut command = Cmd::with_capacity(5, key.len() + bytes.len() + 32);
    command.arg("SET").arg(key).arg(bytes);
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
        let together: Vec<usize> = (0..entries.len())
            .filter(|place| is_together(&entries[*place]))
            .collect();
        let deadline = self.servers.deadline();
        let done = self.store_together(together.iter().map(|place| &entries[*place]), deadline)?;
        let mut outcomes: Vec<Option<Guarded>> = vec![None; entries.len()];
        for (place, outcome) in together.into_iter().zip(done) {
            outcomes[place] = outcome;
        }
        let apart = (0..entries.len()).filter(|place| outcomes[*place].is_none());
        let apart: Vec<&Entry<'_>> = apart.map(|place| &entries[place]).collect();
        let mut done = self.store_apart(&apart, deadline)?.into_iter();
        let outcomes: Option<Vec<Guarded>> = outcomes
            .into_iter()
            .map(|outcome| outcome.or_else(|| done.next()))
            .collect();
        outcomes.ok_or_else(|| Error::unavailable("a store has no outcome"))
    }

    /// In one step each; `None` where that cannot be.
    fn store_together<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry<'e>>,
        deadline: Instant,
    ) -> Result<Vec<Option<Guarded>>> {
        let calls = entries.map(|entry| {
            let (lock, note) = (self.names.lock(entry.key), self.names.tombstone(entry.key));
            let milliseconds = entry.milliseconds.to_string();
            let call = STORE.call(
                &[entry.key.as_bytes(), lock.as_bytes(), note.as_bytes()],
                &[entry.token.as_bytes(), entry.bytes, milliseconds.as_bytes()],
            );
            self.servers.request(entry.key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        let outcome = |reply| match number(reply)? {
            0 => Ok(Guarded::LeaseLost),
            1 => Ok(Guarded::Stored),
            2 => Ok(Guarded::Deleted),
            _ => Err(Failure::Nonsense),
        };
        self.servers
            .write_all(&calls, Some(&STORE), deadline, |_, reply| {
                unless_split(outcome(reply))
            })
    }

    fn store_apart(&self, entries: &[&Entry<'_>], deadline: Instant) -> Result<Vec<Guarded>> {
        // To take back what was stored there is to be time left.
        let to_take_back = deadline;
        let deadline = Instant::now() + left(deadline) / 4 * 3;
        let mut outcomes = self.look(entries.iter().copied(), deadline)?;
        let held: Vec<usize> = (0..entries.len())
            .filter(|place| outcomes[*place] == Guarded::Stored)
            .collect();
        let held_entries = || held.iter().map(|place| entries[*place]);
        let sets = held_entries().map(|entry| {
            let set = set(entry.key, entry.bytes, entry.milliseconds);
            self.servers.request(entry.key.as_bytes(), set)
        });
        let sets: Vec<Request> = sets.collect();
        let set = self
            .servers
            .write_all(&sets, None, deadline, |_, reply| stored(reply));
        match set.and_then(|_| self.look(held_entries(), deadline)) {
            Ok(looked) => {
                for (place, outcome) in held.iter().zip(looked) {
                    outcomes[*place] = outcome;
                }
                let lost = held
                    .iter()
                    .filter(|place| outcomes[**place] != Guarded::Stored);
                self.take_back(lost.map(|place| entries[*place]), to_take_back)?;
                Ok(outcomes)
            }
            // It is not known which.
            Err(error) => self.take_back(held_entries(), to_take_back).and(Err(error)),
        }
    }

    /// How it is with the locks of those.
    fn look<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry<'e>>,
        deadline: Instant,
    ) -> Result<Vec<Guarded>> {
        let (mut gets, mut tokens) = (Vec::new(), Vec::new());
        for entry in entries {
            gets.push(self.get(&self.names.lock(entry.key)));
            gets.push(self.get(&self.names.tombstone(entry.key)));
            tokens.push(entry.token.as_bytes());
        }
        let found = self.servers.read_all(&gets, deadline, |at, reply| {
            Ok(found(reply)?.is_some_and(|found| found == tokens[at / 2]))
        })?;
        let looked = found.chunks_exact(2).map(|found| match found {
            [true, false] => Guarded::Stored,
            [true, true] => Guarded::Deleted,
            _ => Guarded::LeaseLost,
        });
        Ok(looked.collect())
    }

    fn take_back<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry<'e>>,
        deadline: Instant,
    ) -> Result<()> {
        let calls = entries.map(|entry| {
            let call = UNDO.call(&[entry.key.as_bytes()], &[entry.bytes]);
            self.servers.request(entry.key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        let done = self
            .servers
            .write_all(&calls, Some(&UNDO), deadline, |_, reply| {
                number(reply).map(drop)
            });
        done.map(drop)
    }

    /// Deletes, and notes it for those who create these keys.
    pub(crate) fn delete(&self, keys: &[&str]) -> Result<()> {
        let (together, mut apart): (Vec<&str>, Vec<&str>) =
            keys.iter().partition(|key| self.names.are_together(key));
        let deadline = self.servers.deadline();
        let done = self.delete_together(&together, deadline)?;
        let split = together.iter().zip(done).filter(|(_, done)| done.is_none());
        apart.extend(split.map(|(key, _)| *key));
        let noted = self.note(&apart, deadline);
        // A server without memory deletes all the same.
        let deleted = self.remove(&apart, deadline);
        noted.and(deleted)
    }

    /// In one step each; `None` where that cannot be.
    fn delete_together(&self, keys: &[&str], deadline: Instant) -> Result<Vec<Option<i64>>> {
        let calls = keys.iter().map(|key| {
            let (lock, note) = (self.names.lock(key), self.names.tombstone(key));
            let call = DELETE.call(&[key.as_bytes(), lock.as_bytes(), note.as_bytes()], &[]);
            self.servers.request(key.as_bytes(), call)
        });
        let calls: Vec<Request> = calls.collect();
        self.servers
            .write_all(&calls, Some(&DELETE), deadline, |_, reply| {
                unless_split(number(reply))
            })
    }

    /// Deletes, whoever creates these keys.
    pub(crate) fn remove(&self, keys: &[&str], deadline: Instant) -> Result<()> {
        let delete = |keys: &[&str]| {
            let mut command = redis::cmd("DEL");
            command.arg(keys);
            self.servers.request(keys[0].as_bytes(), command)
        };
        // Where keys are parted, each for itself: some may be on their way.
        let is_parted = keys
            .first()
            .is_some_and(|key| self.servers.slot(key.as_bytes()).is_some());
        let at_once = if is_parted { 1 } else { keys.len().max(1) };
        let deletes: Vec<Request> = keys.chunks(at_once).map(delete).collect();
        let done = self
            .servers
            .write_all(&deletes, None, deadline, |_, reply| number(reply).map(drop));
        done.map(drop)
    }

    /// Leaves notes for those who have the locks, for as long as these are theirs.
    fn note(&self, keys: &[&str], deadline: Instant) -> Result<()> {
        let asked = keys.iter().flat_map(|key| {
            let lock = self.names.lock(key);
            let mut left = redis::cmd("PTTL");
            left.arg(&lock);
            let left = self.servers.request(lock.as_bytes(), left);
            [self.get(&lock), left]
        });
        let asked: Vec<Request> = asked.collect();
        let held = self
            .servers
            .read_all(&asked, deadline, |at, reply| match at % 2 {
                0 => Ok((found(reply)?, 0)),
                _ => Ok((None, number(reply)?)),
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
            .write_all(&notes, None, deadline, |_, reply| stored(reply));
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
