use std::fs::File;
use std::path::PathBuf;

use parking_lot::Mutex;

use super::flock::retried;
use super::places::{explained, open_or_make};
use crate::failure::Failure;

/// The lock that reads share and a write has alone, by flock as in dogpile: for programs beside this one that respect
/// it. redb keeps its own processes apart without.
///
/// A lock belongs to an opening of the file, so each call that holds it has one of its own.
pub(crate) struct RwLock {
    path: PathBuf,
    idle: Mutex<Vec<File>>,
}

/// Held until it is dropped.
pub(crate) struct Locked<'a> {
    lock: &'a RwLock,
    file: Option<File>,
}

impl RwLock {
    /// Makes the file if it is not there.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        let file = open_or_make(&path)?;
        Ok(Self {
            path,
            idle: Mutex::new(vec![file]),
        })
    }

    /// Waits as long as it takes.
    pub(crate) fn lock(&self, alone: bool) -> Result<Locked<'_>, Failure> {
        let idle = self.idle.lock().pop();
        let file = match idle {
            Some(file) => file,
            None => open_or_make(&self.path)?,
        };
        retried(|| {
            if alone {
                fs2::FileExt::lock_exclusive(&file)
            } else {
                fs2::FileExt::lock_shared(&file)
            }
        })
        .map_err(|error| explained(&self.path, &error))?;
        Ok(Locked {
            lock: self,
            file: Some(file),
        })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && retried(|| fs2::FileExt::unlock(&file)).is_ok()
        {
            self.lock.idle.lock().push(file);
        }
        // One that cannot be unlocked is closed, which frees it.
    }
}
