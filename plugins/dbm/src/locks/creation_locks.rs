use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{Error, Result, tracing};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::table::{By, Grant, Table, Token};
use super::waiting;
use crate::arguments::Scope;
use crate::file::{explained, open_or_make};

/// The creation locks of an instance.
///
/// In front is a lock for each key within the process, then the kernel's, which it frees when the process dies. There
/// is no lease: who is stopped keeps what it has. The lock file is never written to and never unlinked.
pub(crate) struct CreationLocks {
    pub(super) path: PathBuf,
    pub(super) scope: Scope,
    pub(super) table: Mutex<Table>,
    /// For threads that got a lock: it was claimed, or is not wanted.
    pub(super) claims: Condvar,
}

impl CreationLocks {
    pub(crate) fn open(path: PathBuf, scope: Scope) -> Result<Arc<Self>> {
        let file = open(&path, scope)?;
        Ok(Arc::new(Self {
            path,
            scope,
            table: Mutex::new(Table::new(file)),
            claims: Condvar::new(),
        }))
    }

    /// Takes the key at that offset, without waiting.
    pub(super) fn try_acquire(&self, offset: u64) -> Result<Option<Token>> {
        let mut table = self.table_in_place()?;
        if table.holders.contains_key(&offset) {
            return Ok(None);
        }
        let kernel = self.scope.kernel(offset);
        if let Some(grant) = table.grants.get_mut(&kernel) {
            grant.keys += 1;
            self.claims.notify_all();
        } else {
            let file = Arc::clone(&table.file);
            if !kernel
                .try_lock(&file)
                .map_err(|error| self.failed(&error))?
            {
                return Ok(None);
            }
            let grant = Grant {
                by: By::Main(file),
                keys: 1,
            };
            table.grants.insert(kernel, grant);
        }
        table.tokens += 1;
        let token = token(table.tokens);
        table.holders.insert(offset, token);
        Ok(Some(token))
    }

    pub(super) fn is_held(&self, offset: u64, token: &Token) -> Result<bool> {
        Ok(self.table()?.holders.get(&offset) == Some(token))
    }

    /// Gives the key up if that token holds it.
    pub(super) fn release(&self, offset: u64, token: &Token) -> Result<()> {
        let mut table = self.table()?;
        if table.holders.get(&offset) != Some(token) {
            return Ok(());
        }
        table.holders.remove(&offset);
        let kernel = self.scope.kernel(offset);
        let is_last = match table.grants.get_mut(&kernel) {
            Some(grant) => {
                grant.keys -= 1;
                grant.keys == 0
            }
            None => false,
        };
        let given_back = if is_last {
            table.give_back(kernel)
        } else {
            Ok(())
        };
        // Who waits for another key of the file waits for the same lock.
        table.tell((self.scope == Scope::Key || !is_last).then_some(offset));
        given_back.map_err(|error| self.failed(&error))
    }

    /// Whether anybody creates for the key; in the scope of the file, whether another process creates anything.
    pub(super) fn is_locked(&self, offset: u64) -> Result<bool> {
        let mut table = self.table_in_place()?;
        if table.holders.contains_key(&offset) {
            return Ok(true);
        }
        let kernel = self.scope.kernel(offset);
        if table
            .drop_unclaimed(kernel)
            .map_err(|error| self.failed(&error))?
        {
            self.claims.notify_all();
            return Ok(false);
        }
        if table.grants.contains_key(&kernel) {
            return Ok(false);
        }
        kernel
            .is_locked_elsewhere(&table.file, &self.path)
            .map_err(|error| self.failed(&error))
    }

    /// Waits until the key may be free, at most so long.
    pub(super) fn wait(self: &Arc<Self>, offset: u64, timeout: Duration) -> Result<()> {
        waiting::wait(self, offset, timeout)
    }

    /// After the last call. Threads that are blocked go on in the background until they get what they wait for, and
    /// give it back at once.
    pub(crate) fn close(&self) {
        let mut table = self.table.lock();
        table.closed = true;
        table.tell(None);
        self.claims.notify_all();
    }

    /// The table of this process. A child of the one that opened the file opens it again: it holds nothing.
    pub(super) fn table(&self) -> Result<MutexGuard<'_, Table>> {
        let mut table = self.table.lock();
        if table.process != process::id() {
            tracing::debug!(
                "this process is a child of the one that opened the lock file, and opens it again"
            );
            *table = Table::new(open(&self.path, self.scope)?);
        }
        Ok(table)
    }

    /// The table, with the lock file that stands in its place at this moment: one that was removed is locked by nobody
    /// who comes later. What is held in that stays held.
    pub(super) fn table_in_place(&self) -> Result<MutexGuard<'_, Table>> {
        let mut table = self.table()?;
        self.follow(&mut table)?;
        Ok(table)
    }

    pub(super) fn follow(&self, table: &mut Table) -> Result<()> {
        let in_place = is_in_place(&table.file, &self.path);
        if !in_place.map_err(|error| self.failed(&error))? {
            tracing::debug!(file = %self.path.display(), "the lock file was replaced, and is opened again");
            table.file = Arc::new(open(&self.path, self.scope)?);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn waiting_threads(&self) -> usize {
        self.table.lock().threads
    }

    #[cfg(test)]
    pub(crate) fn waiting_callers(&self) -> usize {
        let table = self.table.lock();
        table.waiters.values().map(|waiters| waiters.number).sum()
    }

    #[cfg(test)]
    pub(crate) fn granted(&self) -> Vec<File> {
        let table = self.table.lock();
        let files = table.grants.values().map(|grant| match &grant.by {
            By::Main(file) => file.try_clone().unwrap(),
            By::Thread(_, file) => file.try_clone().unwrap(),
        });
        files.collect()
    }

    #[cfg(test)]
    pub(crate) fn become_a_child(&self) {
        self.table.lock().process = 0;
    }

    pub(super) fn failed(&self, error: &io::Error) -> Error {
        explained(&self.path, error).into()
    }
}

/// Whether it is that file which has this name.
pub(super) fn is_in_place(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let own = file.metadata()?;
    Ok((there.dev(), there.ino()) == (own.dev(), own.ino()))
}

fn open(path: &Path, scope: Scope) -> Result<File> {
    let file = open_or_make(path)?;
    let announced = scope
        .announce(&file)
        .map_err(|error| explained(path, &error))?;
    if announced {
        return Ok(file);
    }
    Err(Error::argument(
        "dogpile_lock_scope",
        format!(
            "another instance has {} open with the other scope: write the same for both",
            path.display()
        ),
    ))
}

/// The number, and the process, since a child counts on from where its parent stood.
fn token(number: u64) -> Token {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&number.to_le_bytes());
    token[8..12].copy_from_slice(&process::id().to_le_bytes());
    token
}
