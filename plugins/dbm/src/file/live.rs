use std::io;
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use dogpile_plugin_api::tracing;
use parking_lot::{Mutex, RwLock};

use super::opening::{Damage, Opened, Opening, caught};
use super::places::{Places, explained};
use super::{rw_lock, state};
use crate::failure::Failure;
use crate::store::RedbStore;

/// The data file as it is at the moment: opened again where it failed or was replaced, and in a child of the process
/// that opened it.
pub(crate) struct Live {
    opening: Opening,
    /// Where the lock of reads and writes is, if there is to be one.
    lock: Option<PathBuf>,
    current: RwLock<Option<Arc<Open>>>,
    /// Who opens again, so that one does.
    reopening: Mutex<()>,
}

struct Open {
    /// None once it is being dropped.
    opened: Option<Opened>,
    lock: Option<rw_lock::RwLock>,
    process: u32,
}

/// How often a call is begun anew: on a file that was replaced, or opened again.
const TRIES: usize = 3;

impl Live {
    /// Opens the file, or makes it.
    pub(crate) fn new(opening: Opening, lock: Option<PathBuf>) -> Result<Self, Failure> {
        let live = Self {
            opening,
            lock,
            current: RwLock::new(None),
            reopening: Mutex::new(()),
        };
        live.current()?;
        Ok(live)
    }

    /// Reads. Blocks for the lock of reads and writes, where there is one, and for the disk.
    pub(crate) fn read<T>(
        &self,
        call: impl FnMut(&RedbStore) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.call(false, call)
    }

    /// Writes. Blocks for other writers too.
    pub(crate) fn write<T>(
        &self,
        call: impl FnMut(&RedbStore) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.call(true, call)
    }

    /// Closes the file, after the last call.
    pub(crate) fn close(&self) {
        let last = self.current.write().take();
        drop(last);
    }

    #[cfg(test)]
    pub(crate) fn become_a_child(&self) {
        let mut current = self.current.write();
        let mut open = current.take().and_then(Arc::into_inner).unwrap();
        open.process = 0;
        *current = Some(Arc::new(open));
    }

    /// As if that was the state file that it opened.
    #[cfg(test)]
    pub(crate) fn exchange_state(&self, state: std::fs::File) {
        let mut current = self.current.write();
        let mut open = current.take().and_then(Arc::into_inner).unwrap();
        open.opened.as_mut().unwrap().state = state;
        *current = Some(Arc::new(open));
    }

    fn call<T>(
        &self,
        writes: bool,
        mut call: impl FnMut(&RedbStore) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let open = self.current()?;
            let opened = open.opened.as_ref().ok_or_else(closed)?;
            let ended = {
                let _locked = open
                    .lock
                    .as_ref()
                    .map(|lock| lock.lock(writes))
                    .transpose()?;
                caught(|| call(&opened.store))
                    .map_err(|failure| failure.at(&self.opening.places.data))
            };
            let again = tries < TRIES;
            match ended {
                // What was written to a file that was replaced meanwhile is seen by nobody.
                Ok(_) if writes && again && !open.is_current(&self.opening.places)? => {}
                Err(Failure::Damaged(why)) if again => self.replace(&open, opened, &why, true)?,
                Err(Failure::Overgrown(why)) if again => {
                    self.replace(&open, opened, &why, false)?;
                }
                Err(Failure::Broken(error)) => {
                    tracing::debug!(%error, "the file is opened again");
                    self.retire(&open);
                    // Another thread's failure may be what ended this call.
                    if tries > 1 {
                        return Err(Failure::Broken(error));
                    }
                }
                ended => return ended,
            }
        }
    }

    fn current(&self) -> Result<Arc<Open>, Failure> {
        if let Some(open) = self.usable()? {
            return Ok(open);
        }
        let _one = self.reopening.lock();
        match self.usable()? {
            Some(open) => Ok(open),
            None => self.open(None),
        }
    }

    fn usable(&self) -> Result<Option<Arc<Open>>, Failure> {
        let current = self.current.read().clone();
        match current {
            Some(open)
                if open.process == process::id() && open.is_current(&self.opening.places)? =>
            {
                Ok(Some(open))
            }
            _ => Ok(None),
        }
    }

    /// What was open before is closed when its last call is over.
    fn open(&self, damage: Option<&Damage<'_>>) -> Result<Arc<Open>, Failure> {
        let opened = self.opening.open(damage)?;
        let lock = self.lock.clone().map(rw_lock::RwLock::new).transpose()?;
        let open = Arc::new(Open {
            opened: Some(opened),
            lock,
            process: process::id(),
        });
        let before = self.current.write().replace(Arc::clone(&open));
        drop(before);
        Ok(open)
    }

    fn replace(
        &self,
        open: &Arc<Open>,
        opened: &Opened,
        why: &str,
        is_kept: bool,
    ) -> Result<(), Failure> {
        let _one = self.reopening.lock();
        let is_replaced = {
            let current = self.current.read();
            current.as_ref().is_some_and(|now| !Arc::ptr_eq(now, open))
        };
        if is_replaced {
            return Ok(());
        }
        let damage = Damage {
            generation: opened.generation,
            why,
            is_kept,
        };
        self.open(Some(&damage)).map(drop)
    }

    fn retire(&self, open: &Arc<Open>) {
        let mut current = self.current.write();
        let retired = match &*current {
            Some(now) if Arc::ptr_eq(now, open) => current.take(),
            _ => None,
        };
        drop(current);
        drop(retired);
    }
}

fn closed() -> Failure {
    Failure::Broken(io::Error::other("the file is closed"))
}

impl Open {
    /// Whether the data file that is open is still the one that stands in its place.
    fn is_current(&self, places: &Places) -> Result<bool, Failure> {
        let Some(opened) = &self.opened else {
            return Ok(false);
        };
        let data = opened.data.metadata();
        let data = data.map_err(|error| explained(&places.data, &error))?;
        if data.nlink() == 0 {
            return Ok(false);
        }
        // Where the state file was removed, who opens next removes the data file too.
        state::names(&opened.state, opened.generation, opened.number)
            .map_err(|error| explained(&places.state, &error))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(opened) = self.opened.take() else {
            return;
        };
        if self.process == process::id() {
            // redb finishes the file, which may be damaged.
            let close = || {
                drop(opened);
                Ok(())
            };
            if let Err(error) = caught(close) {
                tracing::debug!(%error, "closing the file failed");
            }
        } else {
            // In a child, its end would write to the file and free locks as if it were the parent's.
            opened.file.abandon();
            mem::forget(opened.store);
        }
    }
}
