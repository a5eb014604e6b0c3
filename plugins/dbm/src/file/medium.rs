//! What redb reads and writes: the data file, or what a test puts around it.

use std::fmt::{self, Debug};
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::arguments::Durability;

/// Puts something between redb and the file.
pub(crate) trait Medium: Send + Sync + Debug {
    fn around(&self, file: FileBackend) -> io::Result<Box<dyn StorageBackend>>;
}

/// Nothing in between.
#[derive(Debug)]
pub(crate) struct Disk;

impl Medium for Disk {
    fn around(&self, file: FileBackend) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(file))
    }
}

/// The file would be larger than it may be.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file would be larger than four times `max_bytes`")
    }
}

impl std::error::Error for TooLarge {}

/// The data file as redb has it. It can be closed while redb still has it, which then gets errors.
#[derive(Clone, Debug)]
pub(crate) struct Closable {
    file: Arc<RwLock<Option<Box<dyn StorageBackend>>>>,
    durability: Durability,
    /// How large it may be, in bytes.
    most: u64,
}

impl Closable {
    pub(crate) fn new(file: Box<dyn StorageBackend>, durability: Durability, most: u64) -> Self {
        Self {
            file: Arc::new(RwLock::new(Some(file))),
            durability,
            most,
        }
    }

    /// Closes the descriptor, and frees no lock that another descriptor of the same opening has: after a fork, those
    /// are the parent's.
    pub(crate) fn abandon(&self) {
        // A thread of the parent that had this may not be here to give it back: then the descriptor stays open.
        if let Some(mut file) = self.file.try_write() {
            *file = None;
        }
    }

    fn with<T, E: From<io::Error>>(
        &self,
        call: impl FnOnce(&dyn StorageBackend) -> Result<T, E>,
    ) -> Result<T, E> {
        match &*self.file.read() {
            Some(file) => call(&**file),
            None => Err(io::Error::other("the file was closed").into()),
        }
    }
}

impl StorageBackend for Closable {
    fn len(&self) -> io::Result<u64> {
        self.with(StorageBackend::len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|file| file.read(offset, out))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|file| {
            if length > self.most && length > file.len()? {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooLarge));
            }
            file.set_len(length)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.durability {
            // What was written is there for every process as soon as the call is over.
            Durability::Process => Ok(()),
            Durability::Power => self.with(StorageBackend::sync_data),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|file| file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        let closed = self.with(StorageBackend::close);
        *self.file.write() = None;
        closed
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.with(|file| file.try_lock_range(start, end))
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.with(|file| file.try_lock_shared_range(start, end))
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.with(|file| file.lock_range(start, end))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.with(|file| file.lock_shared_range(start, end))
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.with(|file| file.unlock_range(start, end))
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.with(|file| file.query_lock_range(start, end))
    }
}
